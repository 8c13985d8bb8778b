// The API's one account: its token, and what a request's credentials are worth.
import type { IncomingHttpHeaders } from "node:http";

const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");

/** The default token: a JWT (signed by nobody) with the claims that balena-sdk reads, which renews one older than an hour. */
export const defaultToken = [
  part({ alg: "none", typ: "JWT" }),
  part({ id: 42, actor: 4711, username: "tester", iat: Math.floor(Date.now() / 1000) }),
  "unsigned",
].join(".");

/** What a request's credentials are worth. */
export type Access = "authorized" | "anonymous" | "refused";

/** Judges a request's credentials. Most endpoints give a bad token a guest's view; those of `account.ts` say 401. */
export function checkAuthorization(headers: IncomingHttpHeaders, token: string): Access {
  if (headers.authorization === undefined) return "anonymous";
  return headers.authorization === `Bearer ${token}` ? "authorized" : "refused";
}
