// Servers as child processes of this one: started, and ended by their own number.
import { spawn } from "node:child_process";
import { once } from "node:events";

/** How it is started and ended. */
export interface ChildOptions {
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
  /** What ends it. */
  readonly signal: "SIGTERM" | "SIGKILL";
}

/** A running program. */
export interface Child {
  /** Its last words. */
  said(): string;
  end(): Promise<void>;
}

/** Starts a program. */
export function startChild(
  program: string,
  args: readonly string[],
  { cwd, env, signal }: ChildOptions,
): Child {
  const child = spawn(program, args, {
    cwd,
    env: { ...process.env, NO_COLOR: "1", ...env },
    stdio: ["ignore", "ignore", "pipe"],
  });
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    said = (said + text).slice(-2000);
  });
  const exit = once(child, "exit").catch((error) => {
    said = String(error);
  });
  return {
    said: () => said,
    async end() {
      if (child.exitCode === null) child.kill(signal);
      await exit;
    },
  };
}
