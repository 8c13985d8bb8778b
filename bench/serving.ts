// What serving a cached image costs over nginx sending the same file: `node bench/serving.ts [--size MiB] [--rounds n]`. Ours is
// `serve` of /node over a warm store on disk, in a process of its own, proving every chunk; nginx has sendfile on. curl is the client.
import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { freePort, settles } from "../scripts/services/daemon.ts";
import { ensureInstalled } from "../scripts/services/install.ts";
import { startCallee } from "./calls.ts";
import { image } from "./image.ts";
import { median } from "./report/part.ts";
import { usageOf } from "./serving/usage.ts";
import type { UpstreamFacts } from "./upstream.ts";

const MiB = 1024 * 1024;
const { values: options } = parseArgs({
  options: { size: { type: "string", default: "512" }, rounds: { type: "string", default: "5" } },
});
const [sizeMiB, rounds] = [Number(options.size), Number(options.rounds)];
const clientCounts = [1, 8];

/** A server. */
interface Side {
  readonly name: string;
  readonly url: string;
  readonly pid: number;
}

/** One turn of a side. */
interface Turn {
  readonly ms: number;
  readonly cpuMs: number;
}

ensureInstalled(["curl", "nginx"].map((program) => ({ program, packages: [program] })));
const directory = await mkdtemp(join(tmpdir(), "bench-serving-"));
const children: ChildProcess[] = [];
try {
  const sides = await startSides();
  for (const clients of clientCounts) await compare(sides, clients);
} finally {
  for (const child of children) await end(child);
  await rm(directory, { recursive: true, force: true });
}

/** The same image: out of the store, and as the file that curl got out of it. */
async function startSides(): Promise<Side[]> {
  await using upstream = startCallee("./upstream.ts");
  const { url, sha256 } = await upstream.call<UpstreamFacts>("start", {
    imageBytes: sizeMiB * MiB,
    files: [".img"],
  });
  const path = `/images/${image.deviceType}/${image.version}?fileType=.img`;
  const filling = await startOurs(url);
  await curl([`${filling.url}${path}`], join(directory, "image"));
  await end(children.pop()!); // what filling the store took is no part of it
  const ours = await startOurs(url);
  const nginx = await startNginx();
  const sides = [
    { ...nginx, name: "nginx, sendfile", url: `${nginx.url}/image` },
    { ...ours, name: "ours", url: ours.url + path },
  ];
  for (const side of sides) await assertServes(side, sha256);
  return sides;
}

async function startOurs(apiUrl: string) {
  const port = await freePort();
  const script = new URL("./serving/server.ts", import.meta.url).pathname;
  const settings = { apiUrl, port, base: join(directory, "store") };
  return start(process.execPath, [script, JSON.stringify(settings)], port);
}

async function startNginx() {
  const port = await freePort();
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
    (name) => `${name}_temp_path ${join(directory, name)};`,
  );
  const config = `daemon off; pid ${join(directory, "pid")}; worker_processes 2; events {}
${process.getuid?.() === 0 ? "user root;" : ""}
http { access_log off; sendfile on; tcp_nopush on; ${temporary.join(" ")}
server { listen 127.0.0.1:${port}; root ${directory}; } }`;
  await writeFile(join(directory, "nginx.conf"), config);
  return start("nginx", ["-e", join(directory, "error.log"), "-c", join(directory, "nginx.conf")], port);
}

async function start(program: string, args: string[], port: number): Promise<Omit<Side, "name">> {
  const child = spawn(program, args, { stdio: ["ignore", "ignore", "inherit"] });
  children.push(child);
  await once(child, "spawn");
  const url = `http://127.0.0.1:${port}`;
  const answers = () => fetch(url).then(Boolean, () => false);
  if (!(await settles(answers, 20_000))) throw new Error(`${program} does not answer`);
  return { url, pid: child.pid! };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, "exit");
  child.kill("SIGTERM");
  await exit;
}

/** The first round warms up and is not counted. */
async function compare(sides: readonly Side[], clients: number): Promise<void> {
  const turns = new Map(sides.map((side) => [side, [] as Turn[]]));
  for (let round = 0; round <= rounds; round++) {
    for (const side of sides) {
      const turn = await takeTurn(side, clients);
      if (round > 0) turns.get(side)!.push(turn);
    }
  }
  const rows = await Promise.all([...turns].map(([side, all]) => rowOf(side, all, clients)));
  console.log(
    `\n${clients} client${clients > 1 ? "s at once" : ""}, ${sizeMiB} MiB each, medians of ${rounds} rounds`,
  );
  console.table(Object.fromEntries(rows.map(({ name, ...row }) => [name, row])));
  const [nginx, ours] = rows;
  console.log(`ratio, ours to nginx: ${(ours!["MiB/s"] / nginx!["MiB/s"]).toFixed(2)}x`);
}

async function takeTurn({ url, pid }: Side, clients: number): Promise<Turn> {
  const before = await usageOf(pid);
  const startMs = performance.now();
  await curl(Array<string>(clients).fill(url), "/dev/null");
  const ms = performance.now() - startMs;
  return { ms, cpuMs: (await usageOf(pid)).cpuMs - before.cpuMs };
}

async function rowOf({ name, pid }: Side, turns: readonly Turn[], clients: number) {
  const ms = median(turns.map((turn) => turn.ms));
  return {
    name,
    ms: Math.round(ms),
    "MiB/s": Math.round((clients * sizeMiB) / (ms / 1000)),
    "server CPU, ms": Math.round(median(turns.map(({ cpuMs }) => cpuMs))),
    "peak of all its processes, MiB": Math.round((await usageOf(pid)).peakBytes / MiB),
  };
}

/** A process for each URL, all at once. */
async function curl(urls: readonly string[], output: string): Promise<void> {
  const exits = urls.map(async (url) => {
    const child = spawn("curl", ["-sSf", "-o", output, url], { stdio: ["ignore", "ignore", "inherit"] });
    const [exitCode] = await once(child, "exit");
    if (exitCode !== 0) throw new Error(`curl ${url}: exit code ${exitCode}`);
  });
  await Promise.all(exits);
}

async function assertServes({ name, url }: Side, sha256: string): Promise<void> {
  const file = join(directory, "check");
  await curl([url], file);
  const found = createHash("sha256")
    .update(await readFile(file))
    .digest("hex");
  await rm(file);
  if (found !== sha256) throw new Error(`${name} does not serve the upstream's image`);
}
