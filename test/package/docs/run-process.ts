// Runs an example in a process of its own, under Node, Bun or Deno.
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { defaultToken } from "../../support/balena-api/auth.ts";
import { pathToAsk, wrongIn } from "./answer.ts";
import type { PlacedExample } from "./project.ts";
import type { Surroundings } from "./run.ts";

const limitMs = 30_000;
// As a machine at AWS has them.
const awsVariables = {
  AWS_REGION: "eu-central-1",
  AWS_ACCESS_KEY_ID: "key",
  AWS_SECRET_ACCESS_KEY: "secret",
};
const binary = (name: string) =>
  fileURLToPath(new URL(`../../../node_modules/.bin/${name}`, import.meta.url));

/** To its end; a server is asked once, and then told to end. */
export async function runInProcess(
  example: PlacedExample,
  { servers, sha256 }: Surroundings,
): Promise<{ stdout: string; error: string }> {
  const child = start(example, servers);
  const output = { stdout: "", stderr: "" };
  let asking: Promise<string> | undefined;
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output.stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    output.stderr += text;
    const [, url] = /^listens at (\S+)\n/m.exec(output.stderr) ?? [];
    if (url) asking ??= ask(url + pathToAsk(example)).finally(() => child.kill("SIGTERM"));
  });
  const ask = (url: string) => fetch(url).then((response) => wrongIn(response, example, sha256), String);

  const end = await endOf(child);
  const wrong = (await asking) ?? "";
  const isFine = end === 0 || (asking !== undefined && end === "SIGTERM");
  const error = isFine ? wrong : `It ended with ${end}\n${wrong}${output.stderr.slice(-2000)}`;
  return { stdout: output.stdout, error };
}

function start(example: PlacedExample, servers: Surroundings["servers"]): ChildProcessWithoutNullStreams {
  const [command = "", ...args] = commandOf(example);
  const { directory: cwd } = example;
  // A home without anyone's login, cache or settings.
  const home = { PATH: process.env["PATH"], HOME: cwd, TMPDIR: cwd, NO_COLOR: "1" };
  const account = { BALENA_TOKEN: defaultToken };
  const env = { ...home, ...awsVariables, ...account, DOCS_SERVERS: JSON.stringify(servers) };
  return spawn(command, args, { cwd, env, timeout: limitMs, killSignal: "SIGKILL" });
}

function endOf(child: ChildProcessWithoutNullStreams): Promise<number | NodeJS.Signals | null> {
  return new Promise((resolve, reject) => {
    child.once("error", reject).once("close", (code, signal) => resolve(code ?? signal));
  });
}

function commandOf({ runtime, path, directory }: PlacedExample): string[] {
  const preload = join(directory, "../preload.ts");
  if (runtime === "bun") return [binary("bun"), "--preload", preload, path];
  if (runtime === "deno") return [binary("deno"), "run", "-A", "--quiet", "--preload", preload, path];
  return [process.execPath, "--import", preload, path];
}
