/** Checks the options of `s3Adapter` and fills in the defaults. */
import { InvalidArgumentError } from "../../core/errors.ts";
import { checkedInteger, checkedKeyPrefix, checkedObject, requireOption } from "../store-values.ts";
import { hasSteps } from "./object-name.ts";

/** A timer of 2^31 ms or more fires at once. */
const maxTimerMs = 2 ** 31 - 1;

/** Credentials that sign the requests. */
export interface S3Credentials {
  /** Id of the key. It is sent with every request. */
  accessKeyId: string;
  /** Secret that signs the requests. It is never sent. */
  secretAccessKey: string;
  /** Token of temporary credentials. It is sent with every request. Default: none. */
  sessionToken?: string | undefined;
}

/** Options of {@link s3Adapter}. Give the credentials themselves, or a function that returns them. */
export type S3AdapterOptions = S3ServerOptions &
  (
    | (S3Credentials & { credentials?: undefined })
    | {
        /** Called for every request, so that temporary credentials can be renewed. It should cache its result. */
        credentials: () => S3Credentials | Promise<S3Credentials>;
        accessKeyId?: undefined;
        secretAccessKey?: undefined;
        sessionToken?: undefined;
      }
  );

/** The bucket, and how to send requests to it. */
export interface S3ServerOptions {
  /** Name of an existing bucket. */
  bucket: string;
  /** Region of the bucket, for example `us-east-1`. Use `auto` for R2. */
  region: string;
  /** URL of the server, without the bucket. Default: AWS in this region. */
  endpoint?: string | undefined;
  /** Text before every key, for example `images/`. The adapter touches no other object. Default: none. */
  keyPrefix?: string | undefined;
  /** Where a URL has the bucket: in the path, or in front of the host. Default: `virtual` for AWS, `path` for other servers. */
  style?: "path" | "virtual" | undefined;
  /** Most attempts of a request if the server is busy or lost: a whole number from 1. 1 means no retry. Default 4. */
  maxAttempts?: number | undefined;
  /**
   * Milliseconds that one attempt may wait for the next byte of the answer: 1 to 2,147,483,647. An upload may take one second longer for each
   * 64 KiB. A large object over a slow line is not cut off while bytes arrive. Default 30,000.
   */
  timeoutMs?: number | undefined;
  /** Sends the requests. Default: the global `fetch`. */
  fetch?: typeof fetch | undefined;
}

/** The options with their defaults. */
export interface S3Config {
  /** URL of the bucket, without a slash at the end. */
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
  requireOption(!hasSteps(keyPrefix), '"keyPrefix" must not have "." or ".." between slashes');
  const isFetch = options.fetch === undefined || typeof options.fetch === "function";
  requireOption(isFetch, '"fetch" must be a function');
  return {
    bucketUrl: bucketUrlOf(options),
    region,
    keyPrefix,
    maxAttempts: checkedInteger("maxAttempts", maxAttempts, 1),
    timeoutMs: checkedInteger("timeoutMs", timeoutMs, 1, maxTimerMs),
    // Read at each call, and called as a plain function: workerd refuses it as a method of another object.
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
  // A wildcard certificate covers one level, so a bucket with a dot can't be in front of the host.
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
  // The message does not quote the value, which may contain a password.
  if (isPlain && /^https?:$/.test(url.protocol)) return url;
  throw new InvalidArgumentError('"endpoint" must be an http(s) URL without credentials or a query');
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

/** Checks credentials here, because `fetch` quotes an invalid header in its error. */
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
