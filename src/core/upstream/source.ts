/** Wraps a caller's {@link ImageSource}: its answers are checked, its errors get a type, and an abort ends a call at once. */
import { isCount, isOptional } from "../checks.ts";
import { isDeviceType } from "../device-type.ts";
import { InvalidArgumentError, isImageManagerError, UpstreamError } from "../errors.ts";
import { foreignError, foreignMessage } from "../foreign-error.ts";
import { normalizeVariant } from "../identity.ts";
import type {
  DerivedImage,
  ImageChunks,
  ImageFile,
  ImageParts,
  ImageSource,
  ImageVariant,
  OsVersion,
  ResolvedImage,
  SourceAccount,
  SourceOptions,
} from "../types.ts";
import { isVersionList } from "../version/version-list.ts";
import { isImageChunks } from "./chunk-list.ts";
import { withinLookUpTime } from "./look-up-time.ts";
import { isImageParts } from "./part-list.ts";

export { unlessAborted } from "../waiting.ts";

/** A source as the core uses it. */
export interface Source {
  readonly id: string;
  scope(signal: AbortSignal): Promise<string | SourceAccount | undefined>;
  confirm(account: SourceAccount, signal: AbortSignal): Promise<string | undefined>;
  resolveDeviceType(slugOrAlias: string, signal: AbortSignal): Promise<string>;
  versions(slug: string, includeDrafts: boolean, signal: AbortSignal): Promise<OsVersion[]>;
  /** Whether an image may follow from another one. */
  readonly canDerive: boolean;
  /** `undefined` if the image follows from no other. */
  derive(image: ResolvedImage): Promise<DerivedImage | undefined>;
  request(image: ResolvedImage): Promise<ImageFile | ImageParts | ImageChunks>;
}

/** Wraps a source. Nothing is asked of it yet. Each call of it has the time of a look-up. */
export function checkedSource(source: ImageSource, lookUpTimeoutMs: number): Source {
  assertSource(source);
  const ask: Ask = (what, isValid, signal, call) =>
    withinLookUpTime(lookUpTimeoutMs, signal, (options) => asked(what, isValid, () => call(options)));
  return {
    id: source.id,
    canDerive: source.derive !== undefined,
    scope: (signal) => ask("a scope", isScope, signal, async (options) => source.scope?.(options)),
    confirm: (account, signal) =>
      ask("a scope", isOptionalText, signal, (options) => account.confirm(options)),
    resolveDeviceType: (name, signal) =>
      ask("a device type slug", isDeviceType, signal, (options) => source.resolveDeviceType(name, options)),
    versions: (slug, includeDrafts, signal) =>
      ask("a list of versions", isVersionList, signal, (options) =>
        source.versions(slug, { ...options, includeDrafts }),
      ),
    derive: async (image) => {
      const derived = await ask("the plainer image", isDerived, image.signal, async ({ signal }) =>
        source.derive?.({ ...image, signal }),
      );
      return derived && { ...derived, variant: normalizeVariant(derived.variant) };
    },
    request: async (image) => {
      const answer = await ask("a request", isRequest, image.signal, (options) =>
        source.request({ ...image, ...options }),
      );
      return isImageChunks(answer) ? checkedChunks(answer) : answer;
    },
  };
}

type Ask = <T>(
  what: string,
  isValid: (answer: unknown) => answer is T,
  signal: AbortSignal | undefined,
  call: (options: SourceOptions) => Promise<unknown>,
) => Promise<T>;

function assertSource(source: unknown): asserts source is ImageSource {
  const value = (typeof source === "object" && source !== null ? source : {}) as Record<string, unknown>;
  const isSource = ["resolveDeviceType", "versions", "request"].every(
    (name) => typeof value[name] === "function",
  );
  const hasOptional = ["scope", "derive", "config"].every((name) =>
    ["undefined", "function"].includes(typeof value[name]),
  );
  if (isSource && hasOptional && typeof value["id"] === "string" && value["id"] !== "") return;
  throw new InvalidArgumentError('"source" must be an ImageSource, for example balenaSdkSource()');
}

async function asked<T>(
  what: string,
  isValid: (answer: unknown) => answer is T,
  ask: () => Promise<unknown>,
): Promise<T> {
  const answer = await typed(ask);
  if (isValid(answer)) return answer;
  throw new UpstreamError(`The source was asked for ${what}, but its answer is not valid`, {
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

const isOptionalText = (answer: unknown): answer is string | undefined =>
  answer === undefined || typeof answer === "string";

function isScope(answer: unknown): answer is string | SourceAccount | undefined {
  if (answer === undefined || typeof answer === "string") return true;
  const { digest, confirm } = Object(answer) as Partial<SourceAccount>;
  // It becomes part of a key.
  return typeof digest === "string" && /^[0-9a-f]{32,128}$/.test(digest) && typeof confirm === "function";
}

/** A chunk is looked at when it is there: its name proves it. */
function checkedChunks(image: ImageChunks): ImageChunks {
  const chunk: ImageChunks["chunk"] = async (digest, options) =>
    (await typed(() => image.chunk(digest, options))) as Uint8Array;
  return { ...image, chunk };
}

function isRequest(answer: unknown): answer is ImageFile | ImageParts | ImageChunks {
  if (isImageParts(answer) || isImageChunks(answer)) return true;
  if (typeof answer !== "object" || answer === null) return false;
  const { url, gzip, exactBytes } = answer as Partial<ImageFile>;
  const isSize = isOptional(isCount, exactBytes);
  return (typeof url === "string" || url instanceof URL) && typeof gzip === "boolean" && isSize;
}

function isDerived(answer: unknown): answer is DerivedImage | undefined {
  if (answer === undefined) return true;
  const { variant, edit, isNewEachTime = false } = Object(answer) as Partial<DerivedImage>;
  return isVariant(variant) && typeof edit === "function" && typeof isNewEachTime === "boolean";
}

function isVariant(variant: unknown): boolean {
  try {
    return normalizeVariant(variant as ImageVariant) !== undefined;
  } catch {
    return false;
  }
}
