// A process that gets one image through the drop-in, as an application with its own settings would, and tells what came of it.
import { createHash } from "node:crypto";
import { type SdkOptions, setSharedOptions } from "balena-sdk";

/** What the parent asks for. Settings come by the environment, the home directory and the working directory. */
export interface DropInTask {
  readonly deviceType: string;
  readonly version: string;
  /** What the application tells the SDK before it calls. */
  readonly sharedOptions?: SdkOptions;
  /** Answers every request with 401, so that none leaves the machine. */
  readonly refuses?: boolean;
}

/** What became of it. */
export interface DropInReport {
  readonly sha256?: string;
  readonly version?: string;
  readonly error?: { readonly code?: string; readonly message: string };
  /** Origins that were asked. */
  readonly origins: string[];
  /** When all was done, in milliseconds since 1970. */
  readonly doneAt: number;
}

const task = JSON.parse(process.argv[2] ?? "") as DropInTask;
const origins = new Set<string>();
const { fetch } = globalThis;
globalThis.fetch = async (input, init) => {
  origins.add(new URL(input instanceof Request ? input.url : input).origin);
  return task.refuses ? new Response("", { status: 401 }) : fetch(input, init);
};

const { get } = await import("../../src/adapters/v10/index.ts");
if (task.sharedOptions) setSharedOptions(task.sharedOptions);
const outcome = await attempt();
process.stdout.write(JSON.stringify({ ...outcome, origins: [...origins], doneAt: Date.now() }));

async function attempt(): Promise<Partial<DropInReport>> {
  try {
    const stream = await get(task.deviceType, task.version);
    let version: string | undefined;
    stream.on("balena-image-manager:resolved-version", (resolved) => {
      version = resolved;
    });
    const hash = createHash("sha256");
    for await (const piece of stream) hash.update(piece);
    return { sha256: hash.digest("hex"), ...(version !== undefined && { version }) };
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    return { error: { message, ...(code !== undefined && { code }) } };
  }
}
