// The command as a process: with a home, a store and an API of the test's own, and nothing of the machine's.
import { type SpawnOptions, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

/** Its source, which Node runs as it is. */
export const binPath = fileURLToPath(new URL("../../src/cli/bin.ts", import.meta.url));

/** Compiling the sources is most of what a process does: those after the first need not. */
const compiled = fileURLToPath(new URL("../../node_modules/.cache/command", import.meta.url));

/** Where a command runs. */
export interface CommandPlace {
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Where its output goes. Default: to the test. */
  readonly stdout?: number | "pipe";
}

/** What came of it. */
export interface CommandEnd {
  readonly code: number | NodeJS.Signals | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** Starts it. `end` resolves when it has ended and all its output is there. */
export function startCommand(args: readonly string[], { cwd, env, stdout = "pipe" }: CommandPlace) {
  const own = {
    NODE_COMPILE_CACHE: compiled,
    PATH: process.env["PATH"] ?? "",
    HOME: cwd,
    USERPROFILE: cwd,
    ...env,
  };
  const options: SpawnOptions = { cwd, env: own, stdio: ["ignore", stdout, "pipe"] };
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", binPath, ...args], options);
  const pieces: Buffer[] = [];
  let stderr = "";
  child.stdout?.on("data", (piece) => void pieces.push(piece));
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  const end = new Promise<CommandEnd>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => {
      resolve({ code: signal ?? code, stdout: Buffer.concat(pieces), stderr });
    });
  });
  return { child, end, said: () => ({ stdout: Buffer.concat(pieces).toString(), stderr }) };
}
