/** A caller's {@link ImageSource}, checked: what it returns is validated, what it throws is typed, an abort is immediate. */
import { isDeviceType } from "./device-type.ts";
import { InvalidArgumentError, isImageManagerError, UpstreamError } from "./errors.ts";
import { foreignError, foreignMessage } from "./foreign-error.ts";
import { isVersionList } from "./store/catalog.ts";
import type { ImageRequest, ImageSource, OsVersion, ResolvedImage } from "./types.ts";

/** A source as the core uses it. */
export interface Source {
  readonly id: string;
  scope(signal: AbortSignal): Promise<string | undefined>;
  resolveDeviceType(slugOrAlias: string, signal: AbortSignal): Promise<string>;
  versions(slug: string, includeDrafts: boolean, signal: AbortSignal): Promise<OsVersion[]>;
  request(image: ResolvedImage): Promise<ImageRequest>;
}

/** Wraps a source. Nothing is asked of it yet. */
export function checkedSource(source: ImageSource): Source {
  assertSource(source);
  return {
    id: source.id,
    scope: (signal) => asked(signal, "a scope", async () => source.scope?.(), isScope),
    resolveDeviceType: (slugOrAlias, signal) =>
      asked(
        signal,
        "a device type slug",
        () => source.resolveDeviceType(slugOrAlias, { signal }),
        isDeviceType,
      ),
    versions: (slug, includeDrafts, signal) =>
      asked(
        signal,
        "a list of versions",
        () => source.versions(slug, { includeDrafts, signal }),
        isVersionList,
      ),
    request: (image) => asked(image.signal, "a request", () => source.request(image), isRequest),
  };
}

function assertSource(source: unknown): asserts source is ImageSource {
  const value = (typeof source === "object" && source !== null ? source : {}) as Record<string, unknown>;
  const isSource = ["resolveDeviceType", "versions", "request"].every(
    (name) => typeof value[name] === "function",
  );
  if (isSource && typeof value["id"] === "string" && value["id"] !== "") return;
  throw new InvalidArgumentError('"source" must be an ImageSource, for example balenaSdkSource()');
}

async function asked<T>(
  signal: AbortSignal | undefined,
  what: string,
  ask: () => Promise<unknown>,
  isValid: (answer: unknown) => answer is T,
): Promise<T> {
  const answer = await unlessAborted(signal, () => typed(ask));
  if (isValid(answer)) return answer;
  throw new UpstreamError(`The source was asked for ${what} and returned something else`, {
    unavailable: false,
  });
}

async function typed(ask: () => Promise<unknown>): Promise<unknown> {
  try {
    return await ask();
  } catch (cause) {
    if (isImageManagerError(cause)) throw cause;
    throw new UpstreamError(
      `The source failed: ${foreignMessage(cause)}`,
      {},
      { cause: foreignError(cause) },
    );
  }
}

/** Rejects with the signal's reason as soon as it is aborted, whether or not the work can be stopped. */
export async function unlessAborted<T>(signal: AbortSignal | undefined, run: () => Promise<T>): Promise<T> {
  signal?.throwIfAborted();
  if (!signal) return run();
  let stop = () => {};
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason);
    signal.addEventListener("abort", stop, { once: true });
  });
  try {
    return await Promise.race([run(), aborted]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

const isScope = (answer: unknown): answer is string | undefined =>
  answer === undefined || typeof answer === "string";

function isRequest(answer: unknown): answer is ImageRequest {
  if (typeof answer !== "object" || answer === null) return false;
  const { url, gzip, exactBytes } = answer as Partial<ImageRequest>;
  const isSize = exactBytes === undefined || (Number.isSafeInteger(exactBytes) && exactBytes >= 0);
  return (typeof url === "string" || url instanceof URL) && typeof gzip === "boolean" && isSize;
}
