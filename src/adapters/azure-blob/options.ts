/** Checks the options of `azureBlobAdapter` and fills in the defaults. */
import { bounds } from "../../core/bounds.ts";
import { checkedInteger, checkedKeyPrefix, checkedObject, requireOption } from "../store-values.ts";
import type { AzureContainerClient } from "./container.ts";

/** Options of {@link azureBlobAdapter}: a ready client, a URL, or a connection string. */
export type AzureBlobAdapterOptions = AzureBlobStoreOptions &
  (AzureBlobClientOptions | AzureBlobUrlOptions | AzureBlobConnectionOptions);

/**
 * How values are stored.
 *
 * @inline
 */
export interface AzureBlobStoreOptions {
  /** Text before every key, for example `images/`. The adapter touches no other blob. Default: none. */
  keyPrefix?: string | undefined;
  /**
   * Milliseconds that a call may wait while no byte arrives, over all attempts: 1 to 2,147,483,647. An upload may take one second longer for
   * each 64 KiB. Default 30,000.
   */
  timeoutMs?: number | undefined;
}

/**
 * Your own client. You set how it signs and retries.
 *
 * @inline
 */
export interface AzureBlobClientOptions {
  /** A `ContainerClient` of `@azure/storage-blob`. */
  client: AzureContainerClient;
  url?: undefined;
  credential?: undefined;
  connectionString?: undefined;
  container?: undefined;
}

/**
 * The container by its URL.
 *
 * @inline
 */
export interface AzureBlobUrlOptions {
  /**
   * URL of an existing container, for example `https://account.blob.core.windows.net/images`. It may end with a shared access signature
   * (`?sv=…&sig=…`), which needs the permissions read, write, delete and list.
   */
  url: string;
  /** Gives tokens, for example a `DefaultAzureCredential` of `@azure/identity`. Default: none, because the URL has a signature. */
  credential?: AzureTokenCredential | undefined;
  client?: undefined;
  connectionString?: undefined;
  container?: undefined;
}

/**
 * The container by a connection string of its account.
 *
 * @inline
 */
export interface AzureBlobConnectionOptions {
  /** The connection string, as the portal shows it: with an account key or a shared access signature. */
  connectionString: string;
  /** Name of an existing container. */
  container: string;
  client?: undefined;
  url?: undefined;
  credential?: undefined;
}

/** What gives tokens. Credentials of `@azure/identity` fit it. */
export interface AzureTokenCredential {
  /** Resolves with a token for these scopes. */
  getToken(
    scopes: string | string[],
    options?: object,
  ): Promise<{
    /** The token. */
    token: string;
    /** When it expires, milliseconds since 1970. */
    expiresOnTimestamp: number;
  } | null>;
}

/** Where the container is. */
export type AzureServer =
  | { readonly client: AzureContainerClient }
  | { readonly url: string; readonly credential: AzureTokenCredential | undefined }
  | { readonly connectionString: string; readonly container: string };

/** @throws {InvalidArgumentError} `INVALID_ARGUMENT` that names the option and its range, but neither URL nor connection string. */
export function checkedOptions(options: AzureBlobAdapterOptions) {
  const { keyPrefix, timeoutMs = 30_000 } = checkedObject("azureBlobAdapter", options);
  const prefix = checkedKeyPrefix(keyPrefix);
  const hasSteps = prefix.split("/").some((part) => part === "." || part === "..");
  requireOption(!hasSteps, '"keyPrefix" must not have "." or ".." between slashes');
  return {
    server: serverOf(options),
    keyPrefix: prefix,
    timeoutMs: checkedInteger("timeoutMs", timeoutMs, 1, bounds.timerMs),
  };
}

/** Texts that must not appear in an error. */
export function secretsOf(server: AzureServer): string[] {
  if ("client" in server) return [];
  const text = "url" in server ? new URL(server.url).search : server.connectionString;
  return ["AccountKey", "sig"].flatMap((name) => {
    const value = new RegExp(`(?:^|[?&;])${name}=([^&;]+)`, "i").exec(text)?.[1];
    return value === undefined ? [] : [value, decoded(value)];
  });
}

function serverOf(options: AzureBlobAdapterOptions): AzureServer {
  const { client, url, credential, connectionString, container } = options;
  const given = [client, url, connectionString].filter((option) => option !== undefined);
  requireOption(
    given.length === 1,
    'azureBlobAdapter needs one of "client", "url" and "connectionString" with "container"',
  );
  requireOption(credential === undefined || url !== undefined, '"credential" belongs to "url"');
  requireOption(
    container === undefined || connectionString !== undefined,
    '"container" belongs to "connectionString"',
  );
  if (client !== undefined) return { client: checkedClient(client) };
  if (url !== undefined) return { url: checkedUrl(url), credential: checkedCredential(credential) };
  const isText = typeof connectionString === "string" && /\w=/.test(connectionString);
  requireOption(isText, '"connectionString" must be a connection string of Azure Storage');
  const isName = typeof container === "string" && /^(\$root|[a-z0-9](-?[a-z0-9]){2,62})$/.test(container);
  requireOption(isName, '"container" must be the name of a container');
  return { connectionString, container: container as string };
}

function checkedClient(client: AzureContainerClient): AzureContainerClient {
  const methods = ["getBlockBlobClient", "listBlobsFlat", "getBlobBatchClient"] as const;
  const isContainer = methods.every((method) => typeof client?.[method] === "function");
  requireOption(isContainer, '"client" must be a ContainerClient of @azure/storage-blob');
  return client;
}

/** The message does not quote the value, which may contain a signature. */
function checkedUrl(value: unknown): string {
  const url = typeof value === "string" ? URL.parse(value) : null;
  const isPlain = url !== null && !url.username && !url.password && !url.hash && /^\/./.test(url.pathname);
  requireOption(
    isPlain && /^https?:$/.test(url.protocol),
    '"url" must be the http(s) URL of a container, with or without a shared access signature',
  );
  return value as string;
}

function checkedCredential(credential: unknown): AzureTokenCredential | undefined {
  const { getToken } = (credential ?? {}) as { getToken?: unknown };
  const isFit = credential === undefined || typeof getToken === "function";
  requireOption(isFit, '"credential" must have a method getToken, as the credentials of @azure/identity');
  return credential as AzureTokenCredential | undefined;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
