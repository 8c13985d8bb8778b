/** Options of the S3 store, and what becomes of them once they are checked. */
import { InvalidArgumentError } from "../../core/errors.ts";
import { checkedInteger, checkedKeyPrefix, checkedObject, requireOption } from "../values.ts";
import { hasSteps } from "./object-name.ts";

/** Beyond 2^31 a timer fires at once. */
const maxTimerMs = 2 ** 31 - 1;

/** What requests are signed with. */
export interface S3Credentials {
  /** Names the key. */
  accessKeyId: string;
  /** Signs; it is never sent. */
  secretAccessKey: string;
  /** Comes with temporary credentials, and is sent with every request. */
  sessionToken?: string | undefined;
}

/** Options of {@link s3Adapter}: credentials are either given as they are, or by a function. */
export type S3AdapterOptions = S3ServerOptions &
  (
    | (S3Credentials & { credentials?: undefined })
    | {
        /** Asked for every request, so that temporary credentials can be renewed; it should cache. */
        credentials: () => S3Credentials | Promise<S3Credentials>;
        accessKeyId?: undefined;
        secretAccessKey?: undefined;
        sessionToken?: undefined;
      }
  );

/** Where the store is and how it is spoken to. */
export interface S3ServerOptions {
  /** Name of a bucket that exists. */
  bucket: string;
  /** For example `us-east-1`; R2 calls its only one `auto`. */
  region: string;
  /** URL of the server, without the bucket. Default: that of AWS in the region. */
  endpoint?: string | undefined;
  /** Text put before every key, for example `images/`; no other object is ever touched. Default: none. */
  keyPrefix?: string | undefined;
  /** Where the bucket goes: into the path, or in front of the host. Default `virtual` for AWS, else `path`. */
  style?: "path" | "virtual" | undefined;
  /** Tries of a request that meets a busy or lost server. Default 4; a whole number from 1; 1 means no retry. */
  maxAttempts?: number | undefined;
  /**
   * How long one try may go without anything of its answer, in milliseconds; an upload may take a second longer for each 64 KiB. A large
   * object over a slow line comes as long as it gets on. Default 30,000; 1 to 2,147,483,647.
   */
  timeoutMs?: number | undefined;
  /** Default: the global `fetch`. */
  fetch?: typeof fetch | undefined;
}

/** The options with their defaults. */
export interface S3Config {
  /** URL of the bucket, without a slash at its end. */
  readonly bucketUrl: string;
  readonly region: string;
  readonly keyPrefix: string;
  readonly maxAttempts: number;
  readonly timeoutMs: number;
  readonly fetch: typeof fetch;
  credentials(): Promise<S3Credentials>;
}

/** @throws {InvalidArgumentError} `INVALID_ARGUMENT` that names the option and its range, and no credential. */
export function checkedOptions(options: S3AdapterOptions): S3Config {
  const { region, maxAttempts = 4, timeoutMs = 30_000 } = checkedObject("s3Adapter", options);
  requireOption(isMatch(region, /^[a-z0-9-]{1,64}$/), '"region" must be a name such as us-east-1');
  const keyPrefix = checkedKeyPrefix(options.keyPrefix);
  requireOption(!hasSteps(keyPrefix), '"keyPrefix" must not step up or stay: no "." or ".." between slashes');
  const isFetch = options.fetch === undefined || typeof options.fetch === "function";
  requireOption(isFetch, '"fetch" must be a function');
  return {
    bucketUrl: bucketUrlOf(options),
    region,
    keyPrefix,
    maxAttempts: checkedInteger("maxAttempts", maxAttempts, 1),
    timeoutMs: checkedInteger("timeoutMs", timeoutMs, 1, maxTimerMs),
    // Looked up late, and called as a plain function: workerd refuses it as a method of another object.
    fetch: options.fetch ?? ((input, init) => fetch(input, init)),
    credentials: credentialsOf(options),
  };
}

function bucketUrlOf({ bucket, region, endpoint, style }: S3ServerOptions): string {
  requireOption(
    isMatch(bucket, /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/),
    '"bucket" must be the name of an S3 bucket',
  );
  requireOption(style === undefined || /^(path|virtual)$/.test(style), '"style" must be "path" or "virtual"');
  const url = endpoint === undefined ? awsUrl(region) : endpointUrl(endpoint);
  // A wildcard certificate covers one level: a bucket with a dot can't be in front of the host.
  const isVirtual = style ? style === "virtual" : endpoint === undefined && !bucket.includes(".");
  const path = url.pathname.replace(/\/+$/, "");
  if (!isVirtual) return `${url.origin}${path}/${bucket}`;
  const virtual = URL.parse(`${url.protocol}//${bucket}.${url.host}${path}`);
  if (virtual === null)
    throw new InvalidArgumentError('"style": "virtual" needs an "endpoint" with a host name');
  return virtual.href.replace(/\/$/, "");
}

function awsUrl(region: string): URL {
  return new URL(`https://s3.${region}.amazonaws.com${region.startsWith("cn-") ? ".cn" : ""}`);
}

function endpointUrl(endpoint: unknown): URL {
  const url = typeof endpoint === "string" ? URL.parse(endpoint) : null;
  const isPlain = url !== null && !url.username && !url.password && !url.search && !url.hash;
  // The value stays out of the message: it may hold a password.
  if (isPlain && /^https?:$/.test(url.protocol)) return url;
  throw new InvalidArgumentError('"endpoint" must be an http(s) URL without credentials and query');
}

function credentialsOf(options: S3AdapterOptions): () => Promise<S3Credentials> {
  const { credentials, accessKeyId, secretAccessKey, sessionToken } = options;
  if (credentials === undefined) {
    const fixed = checkedCredentials({ accessKeyId, secretAccessKey, sessionToken });
    return async () => fixed;
  }
  requireOption(typeof credentials === "function", '"credentials" must be a function');
  const isBoth = (accessKeyId ?? secretAccessKey ?? sessionToken) !== undefined;
  requireOption(!isBoth, '"credentials" excludes "accessKeyId", "secretAccessKey" and "sessionToken"');
  return async () => checkedCredentials(await credentials());
}

/** Checked, for `fetch` quotes a header that it refuses in its error. */
function checkedCredentials(credentials: S3Credentials): S3Credentials {
  const { accessKeyId, secretAccessKey, sessionToken } = credentials ?? {};
  const isToken = (value: unknown) => isMatch(value, /^[\x21-\x7e]+$/);
  requireOption(isToken(accessKeyId), '"accessKeyId" must be printable ASCII without spaces');
  requireOption(isToken(secretAccessKey), '"secretAccessKey" must be printable ASCII without spaces');
  const isFit = sessionToken === undefined || isToken(sessionToken);
  requireOption(isFit, '"sessionToken" must be printable ASCII without spaces');
  return { accessKeyId, secretAccessKey, sessionToken };
}

function isMatch(value: unknown, pattern: RegExp): boolean {
  return typeof value === "string" && pattern.test(value);
}
