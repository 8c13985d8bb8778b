/** Runs a command, from its words to its exit code. */
import { createRequire } from "node:module";
import { balenaApiSource } from "../adapters/balena-api/index.ts";
import { nodeHash, nodeInflate } from "../adapters/node/index.ts";
import { createImageManager } from "../core/index.ts";
import { commands, type Run } from "./commands.ts";
import { exitCodeOf, signals, stopMs } from "./exit-code.ts";
import { createProgress } from "./output.ts";
import { loginFor, openStore } from "./surroundings.ts";
import { bytesIn, helpOf, type Invocation, parse } from "./usage.ts";

/** Sets `process.exitCode`. Never rejects. */
export async function main(words: readonly string[]): Promise<void> {
  const [stop, isJson] = [new AbortController(), words.includes("--json")];
  const end = (reason: unknown) => {
    stop.abort(reason);
    if (reason instanceof Error) report(reason, isJson);
    setTimeout(() => process.exit(exitCodeOf(reason)), stopMs).unref(); // what takes no signal, or hangs
  };
  for (const name of Object.keys(signals)) process.once(name, () => end(name));
  process.stdout.on("error", end); // its reader is gone (`| head`), or it is full
  try {
    const exitCode = await run(parse(words), stop.signal);
    process.exitCode ??= exitCode;
  } catch (failure) {
    if (process.exitCode === undefined) report(stop.signal.reason ?? failure, isJson);
  }
}

function report(failure: unknown, isJson: boolean): void {
  process.exitCode = exitCodeOf(failure);
  const { message = `stopped by ${failure}`, code = null } = failure as NodeJS.ErrnoException;
  if (code === "EPIPE") return;
  const facts = { error: { code, message, exitCode: process.exitCode } };
  const [words, suffix] = [message.replaceAll(/\s*\n\s*/g, " "), code === null ? "" : ` (${code})`];
  process.stderr.write(`${isJson ? JSON.stringify(facts) : `balena-image-manager: ${words}${suffix}`}\n`);
}

async function run(invocation: Invocation, signal: AbortSignal): Promise<number> {
  const { command, values } = invocation;
  if (command && !values.help) return withManager(invocation, commands[command].run, signal);
  const { version } = createRequire(import.meta.url)("balena-image-manager/package.json");
  process.stdout.write(`${values.version && !command ? version : helpOf(command)}\n`);
  return 0;
}

async function withManager(invocation: Invocation, command: Run, signal: AbortSignal): Promise<number> {
  const { json, quiet, store, "api-url": apiUrl, "max-bytes": maxBytes } = invocation.values;
  const { onProgress, stop } = createProgress(quiet || json);
  const say = (facts: unknown, text: string) => {
    stop();
    if (json || text) process.stdout.write(`${json ? JSON.stringify(facts, null, 2) : text}\n`);
  };
  const warn = (what: string, cause: unknown) => {
    if (!quiet) process.stderr.write(`${what}: ${(cause as Error)?.message ?? cause}\n`);
  };
  let faults = 0; // one says enough
  const [source, storage] = [balenaApiSource(await loginFor(apiUrl)), openStore(store)];
  const images = createImageManager({
    ...{ source, storage, inflate: nodeInflate, hash: nodeHash },
    maxBytes: maxBytes === undefined ? undefined : bytesIn(maxBytes),
    onEvent: (event) =>
      event.type === "store-fault" && faults++ === 0 && warn("The store failed", event.cause),
  });
  try {
    return (await command({ ...invocation, images, signal, onProgress, say, warn })) ?? 0;
  } finally {
    stop();
    await images.close();
    await storage.dispose?.();
  }
}
