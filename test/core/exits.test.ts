/** After `close` a process ends by itself, whatever was done before: no timer, listener or connection is left. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { sharedApi, slug, version } from "../support/shared-api.ts";
import { chunkBytes } from "../support/test-manager.ts";

const api = await sharedApi({ imageBytes: 16 * chunkBytes, holeFree: true, downloads: "with-validators" });
const script = fileURLToPath(new URL("../support/operations-child.ts", import.meta.url));
const operations = JSON.parse(spawnSync(process.execPath, [script], { encoding: "utf8" }).stdout) as string[];
// Far below the time that a read may take, and far above what a busy machine needs.
const lingerMs = 10_000;

describe.concurrent("after", () => {
  test.each(operations)("%s", async (operation) => {
    const task = JSON.stringify([api.url, slug, version, chunkBytes]);
    const child = spawn(process.execPath, [script, operation, task], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const output = text(child.stdout);
    await Promise.race([once(child.stdout, "data"), once(child, "exit")]);
    expect(await endsWithin(child, lingerMs)).toBe(0);
    expect(await output).toBe("closed\n");
  });
});

/** The exit code; `undefined` of a process that had to be killed. */
async function endsWithin(child: ChildProcess, limitMs: number): Promise<number | null | undefined> {
  const ended =
    child.exitCode === null ? once(child, "exit").then(([code]) => code as number | null) : child.exitCode;
  const code = await Promise.race([ended, sleep(limitMs, undefined, { ref: false })]);
  if (code === undefined) child.kill("SIGKILL");
  return code;
}
