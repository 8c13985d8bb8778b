/** What the environment says: which API is asked with whose login, as the balena CLI has them, and where the store is. */
import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { fsAdapter } from "../adapters/fs/index.ts";
import { redisAdapter } from "../adapters/redis/index.ts";
import { s3Adapter } from "../adapters/s3/index.ts";
import type { StoreDriver } from "../core/index.ts";
import { wrong } from "./exit-code.ts";

const { env } = process;
const dataDirectory = () => env["BALENARC_DATA_DIRECTORY"] || join(homedir(), ".balena");

/** Options of the source. The stored login goes to no API but the one that it was made for. */
export async function loginFor(apiUrl: string | undefined): Promise<{ apiUrl: string; token?: string }> {
  const ownUrl = env["BALENARC_API_URL"] || `https://api.${await balenaUrl()}`;
  const isOwn = !apiUrl || URL.parse(apiUrl)?.origin === URL.parse(ownUrl)?.origin;
  const token = env["BALENA_TOKEN"] || (isOwn && (await textOf(join(dataDirectory(), "token")))) || "";
  return { apiUrl: apiUrl ?? ownUrl, ...(token.trim() && { token: token.trim() }) };
}

async function balenaUrl(): Promise<string> {
  if (env["BALENARC_BALENA_URL"]) return env["BALENARC_BALENA_URL"];
  const files = await Promise.all(["balenarc.yml", join(homedir(), ".balenarc.yml")].map(textOf));
  const [own, users] = files.map((text) => /^balenaUrl:\s*["']?([^\s"'#]+)/m.exec(text)?.[1]);
  return own ?? users ?? "balena-cloud.com";
}

const textOf = (path: string): Promise<string> =>
  readFile(path, "utf8").catch((error) => (error.code === "ENOENT" ? "" : Promise.reject(error)));

/** By default the store is the one that the functions of version 10 (`/v10`) use, too. */
export function openStore(url = env["BALENA_IMAGE_STORE"]): StoreDriver {
  const cache = env["BALENARC_CACHE_DIRECTORY"] || join(dataDirectory(), "cache");
  if (!url) return fsAdapter({ base: join(cache, "balena-image-manager") });
  const [scheme] = /^[a-z][a-z0-9+.-]+:(?=\/\/)/i.exec(url) ?? [];
  if (scheme === undefined) return fsAdapter({ base: url });
  if (scheme === "redis:" || scheme === "rediss:") return redisAdapter({ url });
  if (scheme === "s3:") return bucket(new URL(url));
  // The rest is not quoted: it may have a password.
  throw wrong(`A store is ./dir, s3://bucket/prefix or redis://host, not ${scheme}//`);
}

/** Region, server and credentials come from the variables of the AWS tools. */
function bucket({ hostname, pathname }: URL): StoreDriver {
  const [accessKeyId, secretAccessKey] = [env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"]];
  if (!accessKeyId || !secretAccessKey)
    throw wrong("s3:// needs the variables AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY");
  return s3Adapter({
    bucket: hostname,
    region: env["AWS_REGION"] || env["AWS_DEFAULT_REGION"] || "us-east-1",
    endpoint: env["AWS_ENDPOINT_URL_S3"] || env["AWS_ENDPOINT_URL"] || undefined,
    keyPrefix: decodeURIComponent(pathname).replace(/^\/*(.*?)\/*$/, (_, name) => name && `${name}/`),
    ...{ accessKeyId, secretAccessKey, sessionToken: env["AWS_SESSION_TOKEN"] || undefined },
  });
}
