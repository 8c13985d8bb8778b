// The endpoints about who asks: the only ones that say 401 to a bad token.
import { randomBytes } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { foreignFleet } from "./fixtures.ts";
import type { MetadataAnswer, MetadataContext } from "./metadata.ts";
import { noSuchFleet, unauthorized } from "./refusals.ts";

type Endpoint = (
  context: MetadataContext,
  request: IncomingMessage,
) => MetadataAnswer | Promise<MetadataAnswer>;

/** The endpoints, by method and path. */
export const accountEndpoints: Readonly<Record<string, Endpoint>> = {
  "GET /actor/v1/whoami": () => ok({ id: 4711, actorType: "user", actorTypeId: 42, ...person }),
  "GET /user/v1/whoami": () => ok({ id: 42, ...person }),
  "GET /user/v1/refresh-token": ({ token }) => ok(token),
  "POST /download-config": (_, request) => fleetConfig(request),
};

/** Answers if the path is one of theirs. */
export function answerAccount(
  path: string,
  context: MetadataContext,
  request: IncomingMessage,
): MetadataAnswer | Promise<MetadataAnswer> | undefined {
  const endpoint = accountEndpoints[`${request.method === "HEAD" ? "GET" : request.method} ${path}`];
  if (endpoint === undefined) return undefined;
  return context.authorized ? endpoint(context, request) : unauthorized;
}

const person = { username: "tester", email: "tester@example.com" };
const ok = (body: unknown): MetadataAnswer => ({ status: 200, body });

/** A fleet's config.json, with another provisioning key at each asking. */
async function fleetConfig(request: IncomingMessage): Promise<MetadataAnswer> {
  const asked = await jsonBody(request);
  if (asked === undefined) return { status: 400, body: "Bad Request" };
  const { appId, deviceType, appUpdatePollInterval = 10, wifiSsid, wifiKey, developmentMode } = asked;
  if (!Number.isSafeInteger(appId)) return { status: 400, body: "Invalid application id" };
  if (appId === foreignFleet) return noSuchFleet;
  return ok({
    applicationId: appId,
    deviceType,
    userId: 42,
    appUpdatePollInterval: Number(appUpdatePollInterval) * 60_000,
    listenPort: 48484,
    vpnPort: 443,
    apiEndpoint: `http://${request.headers.host}`,
    vpnEndpoint: "cloudlink.loopback",
    registryEndpoint: "registry2.loopback",
    deltaEndpoint: "https://delta.loopback",
    apiKey: randomBytes(16).toString("hex"),
    ...(developmentMode === true && { developmentMode }),
    ...(wifiSsid !== undefined && { wifiSsid }),
    ...(wifiKey !== undefined && { wifiKey }),
  });
}

async function jsonBody(request: IncomingMessage): Promise<Record<string, unknown> | undefined> {
  const pieces: Buffer[] = [];
  for await (const piece of request) pieces.push(piece);
  try {
    const value: unknown = JSON.parse(Buffer.concat(pieces).toString());
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
