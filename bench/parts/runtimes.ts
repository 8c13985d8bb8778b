// The same first and repeated get on Node, Bun and Deno, with what each of them has: fs store, `DecompressionStream` but on Node.
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { Bench, Upstream } from "../bench.ts";
import { median, type Part } from "../report/part.ts";
import type { RuntimeCosts } from "./runtime.ts";

const script = fileURLToPath(new URL("./runtime.ts", import.meta.url));
const commands = { Node: ["node"], Bun: ["bun"], Deno: ["deno", "run", "--allow-all", "--quiet"] };

/** One process each, one after the other. */
export async function runtimes({ rounds }: Bench, upstream: Upstream): Promise<Part> {
  const table: Record<string, string | number>[] = [];
  for (const [runtime, [command, ...args]] of Object.entries(commands)) {
    const base = await mkdtemp(join(tmpdir(), "bench-"));
    const task = JSON.stringify({ url: upstream.facts.url, base, rounds });
    const { stdout } = await promisify(execFile)(command!, [...args, script, task]);
    await rm(base, { recursive: true, force: true });
    const row: Record<string, string | number> = { runtime };
    for (const { fileType, first, repeated } of JSON.parse(stdout) as RuntimeCosts[]) {
      row[`first ${fileType}, ms`] = Math.round(median(first));
      row[`repeated ${fileType}, ms`] = Math.round(median(repeated));
    }
    table.push(row);
  }
  return { title: "First and repeated get on each runtime, fs store, unbounded", table, goals: [] };
}
