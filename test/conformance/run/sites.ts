// The server under test on each runtime, run from the built package as its users run it, on a port that it keeps.
import { copyFile, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { freePort, settles } from "../../../scripts/services/daemon.ts";
import { loadMiniflare } from "../../runtimes/run/miniflare.ts";
import { processRuntimes } from "../../runtimes/run/processes.ts";
import type { Answer, SiteSettings } from "../entries/site.ts";
import { type Child, startChild } from "./child.ts";

/** A running server. */
export interface Site extends AsyncDisposable {
  readonly url: string;
  /** What it answered since the last call. */
  takeAnswers(): Promise<Answer[]>;
  /** Ends it as a crash does, and starts it anew over the same store, on the same port. */
  restart(changed?: Pick<SiteSettings, "maxAgeMs">): Promise<void>;
}

/** A server as a runtime brings it, or as this package brings it for the runtime. */
export interface SiteRuntime {
  readonly name: string;
  /** Why it sends whole images without their Content-Length, where it does. */
  readonly dropsLength?: string;
  /** How large a crowd it takes, and why no larger one. */
  readonly crowd?: { readonly clients: number; readonly reason: string };
  /** The rows that tell something new. Default: all. */
  readonly rows?: RegExp;
  /** Starts a server with an empty store. */
  start(project: string, apiUrl: string): Promise<Site>;
}

type Run = (project: string, settings: SiteSettings) => Promise<Child>;

const dropsLength =
  "Bun.serve sends every longer stream chunked and takes its Content-Length away; `serve` of /node keeps it on Bun, too";

// What Bun.serve falls short in, and what hangs on the server rather than on the handler.
const ofServeOnBun =
  /the whole|Content-Length|-OJL|harms nobody|goes on|first-last|really several|ranges of|fit each other|200 ×/;

const busyThread =
  "each request is a manager of its own, that follows the one transfer by asking R2 four times a second; 200 of them keep the single " +
  "thread of the simulated R2 busy for longer than a lease lives (10 s), so that some transfer for themselves (with a lease of 60 s: one transfer)";

/** All of them; of the Nodes, one. */
export const siteRuntimes: readonly SiteRuntime[] = [
  { name: "Node", start: starterOf(processRun("Node 24", "node.ts")) },
  { name: "Bun.serve", dropsLength, start: starterOf(processRun("Bun", "bun.ts")) },
  { name: "Bun, /node", rows: ofServeOnBun, start: starterOf(processRun("Bun", "node.ts")) },
  { name: "Deno", start: starterOf(processRun("Deno", "deno.ts")) },
  { name: "workerd", crowd: { clients: 50, reason: busyThread }, start: starterOf(runWorker) },
];

/** Copies the servers' entries to where the built package is installed. */
export async function installEntries(project: string): Promise<void> {
  const entries = fileURLToPath(new URL("../entries", import.meta.url));
  await writeFile(join(project, "package.json"), JSON.stringify({ private: true, type: "module" }));
  for (const name of await readdir(entries)) await copyFile(join(entries, name), join(project, name));
  await build({
    ...{ entryPoints: [join(project, "workerd.ts")], outfile: join(project, "workerd.mjs") },
    ...{ bundle: true, format: "esm", target: "es2022", logLevel: "warning" },
    ...{ platform: "neutral", mainFields: ["module", "main"] },
  });
}

function processRun(runtimeName: string, entry: string): Run {
  const runtime = processRuntimes.find(({ name }) => name === runtimeName)!;
  return async (project, settings) => {
    const env = { TEST_SITE: JSON.stringify(settings) };
    return startChild(runtime.binary, runtime.scriptArguments(entry), {
      cwd: project,
      env,
      signal: "SIGKILL",
    });
  };
}

function starterOf(run: Run): SiteRuntime["start"] {
  return (project, apiUrl) => startSite(project, apiUrl, run);
}

async function startSite(project: string, apiUrl: string, run: Run): Promise<Site> {
  const port = await freePort();
  const base = await mkdtemp(join(project, "store-"));
  const settings = { apiUrl, port, maxAgeMs: 10 * 60_000, base };
  const url = `http://127.0.0.1:${port}`;
  let child = await startedAt(url, await run(project, settings));
  return {
    url,
    takeAnswers: async () => (await (await fetch(`${url}/answers`)).json()) as Answer[],
    async restart(changed) {
      await child.end();
      child = await startedAt(url, await run(project, { ...settings, ...changed }));
    },
    async [Symbol.asyncDispose]() {
      await child.end();
      await rm(base, { recursive: true });
    },
  };
}

async function startedAt(url: string, child: Child): Promise<Child> {
  const isUp = () =>
    fetch(`${url}/healthz`).then(
      ({ ok }) => ok,
      () => false,
    );
  if (await settles(isUp, 30_000)) return child;
  await child.end();
  throw new Error(`No answer from ${url} within 30 seconds: ${child.said()}`);
}

async function runWorker(project: string, { apiUrl, maxAgeMs, port, base }: SiteSettings): Promise<Child> {
  const Miniflare = await loadMiniflare();
  const miniflare = new Miniflare({
    modules: true,
    script: await readFile(join(project, "workerd.mjs"), "utf8"),
    compatibilityDate: "2025-06-01",
    ...{ host: "127.0.0.1", port },
    ...{ r2Buckets: ["BUCKET"], r2Persist: base },
    bindings: { API_URL: apiUrl, MAX_AGE_MS: maxAgeMs },
  });
  await miniflare.ready;
  return { said: () => "", end: () => miniflare.dispose() };
}
