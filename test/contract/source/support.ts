// What the cases of the source contract share: the host's and the API's ports, and small helpers.
import type { ImageManagerError } from "../../../src/core/errors.ts";
import type {
  ImageChunks,
  ImageFile,
  ImageParts,
  ImageSource,
  ImageVariant,
  OsVersion,
  ResolvedImage,
} from "../../../src/core/types.ts";

/** What the runner brings. `node:assert/strict` fits `assert`. */
export interface SourceContractHost {
  readonly test: (name: string, run: () => Promise<void>) => void;
  readonly assert: {
    equal(actual: unknown, expected: unknown, message?: string): void;
    deepEqual(actual: unknown, expected: unknown, message?: string): void;
    ok(value: unknown, message?: string): void;
  };
  /** Prints a value with everything that hangs on it, as a log would. */
  readonly inspect: (value: unknown) => string;
  /** A fresh API with the default fixture for each test. */
  readonly start: () => Promise<SourceContractApi>;
  readonly source: (options: SourceContractOptions) => ImageSource;
}

/** Options that every balena source takes. */
export interface SourceContractOptions {
  apiUrl: string;
  token?: string;
  configure?: "local" | "upstream";
}

/** The loopback balena API, steered through promises, so that it may run in another process. */
export interface SourceContractApi {
  readonly url: string;
  readonly token: string;
  /** Bytes of each raw image. */
  readonly imageBytes: number;
  addRelease(release: {
    deviceType: string;
    version: string | null;
    line?: "default" | "esr";
  }): Promise<void>;
  /** Every metadata request fails so from now on; no status: the connection is lost. */
  failMetadata(fault: { status?: number; retryAfter?: number | string }): Promise<void>;
  delayMetadata(latencyMs: number): Promise<void>;
  /** Requests since the last call. */
  takeRequests(): Promise<readonly { readonly url: string; readonly status: number }[]>;
  close(): Promise<void>;
}

/** One case; it may do with the API what it likes, for nobody else has it. */
export type Case = (api: SourceContractApi, host: SourceContractHost) => Promise<void>;

/** A device type of the fixture. */
export const slug = "raspberrypi4-64";

/** Any of the library's errors, with the facts that some have. */
export type AnyError = ImageManagerError & {
  readonly status?: number;
  readonly retryAfterMs?: number;
  readonly unavailable?: boolean;
};

/** A request for an image of the fixture. */
export function image(variant: ImageVariant, overrides: Partial<ResolvedImage> = {}): ResolvedImage {
  return { deviceType: slug, version: "6.1.0", variant, fileType: variant.fileType ?? ".gz", ...overrides };
}

/** What a promise rejects with. */
export async function rejection<E = AnyError>(promise: Promise<unknown>): Promise<E> {
  const value = await promise.then(
    (fulfilled) => ({ fulfilled }),
    (error: E) => ({ error }),
  );
  if ("error" in value) return value.error;
  throw new Error(`Expected a rejection, got ${JSON.stringify(value.fulfilled)}`);
}

/** What each of several promises rejects with; all are handled from the start, whichever ends first. */
export function rejections<E = AnyError>(promises: Promise<unknown>[]): Promise<E[]> {
  return Promise.all(promises.map((promise) => rejection<E>(promise)));
}

/** What a function throws. */
export function thrown(run: () => unknown): AnyError | undefined {
  try {
    run();
    return undefined;
  } catch (error) {
    return error as AnyError;
  }
}

/** A JWT that nobody signed. */
export function jwt(claims: object): string {
  const part = (value: object) => {
    const binary = String.fromCharCode(...new TextEncoder().encode(JSON.stringify(value)));
    return btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  };
  return `${part({ alg: "none" })}.${part(claims)}.unsigned`;
}

/** The time as JWTs tell it. */
export const nowSeconds = () => Math.floor(Date.now() / 1000);
/** The version of an entry. */
export const nameOf = ({ version }: OsVersion) => version;
/** Whether an entry is of an ESR line. */
export const isEsr = ({ line }: OsVersion) => line === "esr";

/** A request for one file, which is what an API without release assets gives. */
export function fileOf(answer: ImageFile | ImageParts | ImageChunks): ImageFile {
  if (!("url" in answer)) throw new Error("The source gave parts or chunks in place of a file");
  return answer;
}
