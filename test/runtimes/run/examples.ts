// Runs the files of `examples/` as they stand, on the runtimes that they are for, against a loopback API: what they get must be the image.
import { execFile, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { cp, mkdtemp, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { build } from "esbuild";
import { type BalenaApi, fixtureSlugs, startBalenaApi } from "../../support/balena-api/index.ts";
import type { BucketAccess } from "../../support/s3-service.ts";
import { equal } from "../suites/assert.ts";
import { loadMiniflare } from "./miniflare.ts";
import { processRuntimes } from "./processes.ts";
import { type Result, resultOf } from "./results.ts";

/** One run of one example: the bytes that came of it, where it makes any. */
type Run = (setting: Setting) => Promise<Uint8Array | undefined>;

interface Setting {
  readonly api: BalenaApi;
  /** The project's copy of `examples/`. */
  readonly examples: string;
  /** A directory to run in, with older files under the names that examples write to. */
  readonly cwd: string;
}

const [deviceType, version] = [fixtureSlugs.main, "6.1.0"];
const limitMs = 30_000;

/** All but the one that needs S3. */
export async function testExamples(project: string): Promise<Result[]> {
  const results: Result[] = [];
  for (const [name, run] of Object.entries({
    "node.ts": node,
    "bun.ts": bun,
    "deno.ts": deno,
    "cloudflare-worker.ts": worker,
  }))
    results.push(await test(name, project, run));
  return results;
}

/** The one that needs S3. */
export function testLambdaExample(project: string, s3: BucketAccess): Promise<Result> {
  return test("aws-lambda.ts", project, (setting) => lambda(setting, s3));
}

/** Twice: the second time the image comes out of the cache, and nothing of it over the wire. */
async function test(file: string, project: string, run: Run): Promise<Result> {
  const name = `examples :: ${file}`;
  const examples = join(project, "examples");
  await cp(fileURLToPath(new URL("../../../examples", import.meta.url)), examples, { recursive: true });
  const cwd = await mkdtemp(join(project, "example-"));
  // What is there before is longer than the image: none of it may stay behind the image's end.
  for (const old of ["out.img", "balena.img"])
    await writeFile(join(cwd, old), Buffer.alloc(7 * 1024 * 1024, 1));
  await using api = await startBalenaApi({ imageBytes: 6 * 1024 * 1024 });
  try {
    for (const round of ["first", "second"]) {
      const bytes = await run({ api, examples, cwd });
      if (bytes) equal(sha256(bytes), await api.image(deviceType, version).sha256, "SHA-256");
      equal(partsAskedFor(api), 5, `parts asked for once the ${round} run is over`);
      equal(api.counters.transfers, 0, "downloads of the whole file");
    }
    return resultOf(name, "passed");
  } catch (error) {
    return resultOf(name, "failed", String((error as Error).stack));
  }
}

/** The image has five. */
function partsAskedFor({ counters }: BalenaApi): number {
  return counters.requestLog.filter(({ url }) => url.includes("/compressed/")).length;
}

const node: Run = async ({ api, examples, cwd }) => {
  const env = { ...process.env, BALENA_API_URL: api.url };
  const args = [join(examples, "node.ts"), deviceType, "~6.1.0", "out.img"];
  await promisify(execFile)(binaryOf("Node 24"), args, { cwd, env, timeout: limitMs });
  return readFile(join(cwd, "out.img"));
};

/** A server, stopped once it has answered. */
const bun: Run = async ({ api, examples, cwd }) => {
  const env = { ...process.env, BALENA_API_URL: api.url, PORT: "0" };
  const server = spawn(binaryOf("Bun"), [join(examples, "bun.ts")], { cwd, env, timeout: limitMs });
  try {
    const [line] = (await once(createInterface(server.stdout), "line", timeLimit())) as [string];
    const origin = /http:\/\/[^/]+/.exec(line)?.[0];
    const response = await fetch(`${origin}/images/${deviceType}/~6.1.0`, timeLimit());
    return new Uint8Array(await response.arrayBuffer());
  } finally {
    server.kill();
  }
};

/** With the permissions that its first lines name. */
const deno: Run = async ({ api, examples, cwd }) => {
  const path = join(examples, "deno.ts");
  const command = /deno run (.*) deno\.ts/.exec(await readFile(path, "utf8"))?.[1] ?? "";
  const args = [
    "run",
    "--no-prompt",
    ...command.split(" "),
    path,
    deviceType,
    "~6.1.0",
    "balena.img",
    api.url,
  ];
  await promisify(execFile)(binaryOf("Deno"), args, { cwd, timeout: limitMs });
  return readFile(join(cwd, "balena.img"));
};

const worker: Run = async ({ api, examples, cwd }) => {
  const { outputFiles } = await build({
    ...{ entryPoints: [join(examples, "cloudflare-worker.ts")], bundle: true, write: false, tsconfigRaw: {} },
    ...{ format: "esm", target: "es2022", platform: "neutral", mainFields: ["module", "main"] },
  });
  const Miniflare = await loadMiniflare();
  const miniflare = new Miniflare({
    ...{ modules: true, script: outputFiles![0]!.text, compatibilityDate: "2025-06-01" },
    ...{ r2Buckets: ["IMAGES"], r2Persist: cwd, bindings: { ACCESS_KEY: "key", API_URL: api.url } },
  });
  try {
    const url = new URL(`images/${deviceType}/${version}`, await miniflare.ready);
    equal((await fetch(url, timeLimit())).status, 401, "status without the key");
    const response = await fetch(url, { headers: { authorization: "Bearer key" }, ...timeLimit() });
    return new Uint8Array(await response.arrayBuffer());
  } finally {
    await miniflare.dispose();
  }
};

/** What Lambda's own runtime does: imports the file and calls its handler. */
async function lambda({ api, examples, cwd }: Setting, s3: BucketAccess): Promise<undefined> {
  const { bucket, region, endpoint, accessKeyId, secretAccessKey } = s3;
  const env = {
    ...{ ...process.env, BALENA_API_URL: api.url, BUCKET: bucket, AWS_REGION: region, S3_ENDPOINT: endpoint },
    ...{ AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey },
  };
  const script = `
    import { handler } from ${JSON.stringify(join(examples, "aws-lambda.ts"))};
    for (const version of ["~6.1.0", "^99.0.0"])
      console.log(JSON.stringify(await handler({ deviceType: ${JSON.stringify(deviceType)}, version })));`;
  const args = ["--input-type=module", "--eval", script];
  const { stdout } = await promisify(execFile)(binaryOf("Node 24"), args, { cwd, env, timeout: limitMs });
  const [found, missing] = stdout.split("\n");
  equal(JSON.parse(found ?? "").statusCode, 200, found ?? "");
  equal(JSON.parse(JSON.parse(found ?? "").body).size, 6 * 1024 * 1024, "size");
  equal(JSON.parse(missing ?? "").statusCode, 404, missing ?? "");
  return undefined;
}

function binaryOf(name: string): string {
  return processRuntimes.find((runtime) => runtime.name === name)!.binary;
}

const timeLimit = () => ({ signal: AbortSignal.timeout(limitMs) });
const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
