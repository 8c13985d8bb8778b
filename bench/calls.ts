// Calls between the benchmark and its child processes: one at a time, over the channel that `fork` opens.
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

/** A child process that answers calls. */
export interface Callee extends AsyncDisposable {
  call<T>(name: string, argument?: unknown): Promise<T>;
}

type Answer = { readonly value: unknown } | { readonly error: string };
type Handlers = Record<string, (argument: never) => Promise<unknown>>;

/** Starts the script of that name beside this one, or of that path. */
export function startCallee(script: string, args: readonly string[] = []): Callee {
  const child = fork(fileURLToPath(new URL(script, import.meta.url)), args);
  return {
    async call<T>(name: string, argument?: unknown): Promise<T> {
      child.send({ name, argument });
      const answer = await answerOf(child);
      if ("error" in answer) throw new Error(`${script} ${name}: ${answer.error}`);
      return answer.value as T;
    },
    async [Symbol.asyncDispose]() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, "exit");
      if (child.connected) child.disconnect();
      await exited;
    },
  };
}

async function answerOf(child: ChildProcess): Promise<Answer> {
  const settled = new AbortController();
  const { signal } = settled;
  try {
    const ended = once(child, "exit", { signal }).then(([code, by]) => [
      { error: `the process ended with ${code ?? by}` },
    ]);
    ended.catch(() => undefined);
    const [answer] = (await Promise.race([once(child, "message", { signal }), ended])) as [Answer];
    return answer;
  } finally {
    settled.abort(); // the one that did not come listens no more
  }
}

/** In the child: answers calls until the parent leaves, then tidies up and ends. */
export function answerCalls(handlers: Handlers, tidy: () => Promise<void>): void {
  process.on("message", async ({ name, argument }: { name: string; argument: unknown }) => {
    try {
      tell({ value: await handlers[name]?.(argument as never) });
    } catch (error) {
      tell({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
    }
  });
  process.once("disconnect", () => void tidy().finally(() => process.exit()));
  process.on("SIGINT", () => undefined); // Ctrl-C ends the parent, and so this process, tidily
}

function tell(answer: Answer): void {
  if (process.connected) process.send?.(answer); // a parent that has left hears nothing
}
