// Asks an example that serves images for one, as a client of it would.
import { createHash } from "node:crypto";
import type { PlacedExample } from "./project.ts";

/** Path of the image, under the base path that the example sets. */
export function pathToAsk({ code }: PlacedExample): string {
  const basePath = /\bbasePath: "([^"]*)"/.exec(code)?.[1] ?? "/images";
  return `${basePath}/raspberrypi4-64/6.1.0`;
}

/** What is wrong with the answer, or nothing. */
export async function wrongIn(response: Response, { code }: PlacedExample, sha256: string): Promise<string> {
  const body = new Uint8Array(await response.arrayBuffer());
  // The test knows no password.
  if (response.status === 401 && code.includes("authorize")) return "";
  if (response.status !== 200) return `It answered ${response.status}: ${new TextDecoder().decode(body)}`;
  const isSame = sha256Of(body) === sha256;
  return isSame ? "" : `It answered with other bytes than the upstream's (${body.length})`;
}

/** In hex. */
export function sha256Of(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
