/** The secrets of a request for an image: credentials in its headers and URL, and the Wi-Fi key in its query. */
import type { ImageFile } from "../types.ts";

const namesOfSecrets = /key|token|secret|signature|credential|password/i;
const headersOfSecrets = ["authorization", "proxy-authorization", "cookie", "x-api-key"];

/** The secrets, as they are before any encoding. */
export function secretsOf({ url, headers }: Pick<ImageFile, "url" | "headers">): string[] {
  const address = URL.parse(url);
  const inQuery = [...(address?.searchParams ?? [])].filter(([name]) => namesOfSecrets.test(name));
  return [
    ...inQuery.map(([, value]) => value),
    ...[address?.username, address?.password].filter((part) => part !== undefined),
    ...secretsOfHeaders(headers),
  ];
}

function secretsOfHeaders(headers: ImageFile["headers"]): string[] {
  try {
    const all = new Headers(headers);
    // A scheme may stand before the credentials: they are a secret with and without it.
    return headersOfSecrets.flatMap((name) => {
      const value = all.get(name);
      return value === null ? [] : [value, ...value.split(/\s+/).slice(1)];
    });
  } catch {
    return []; // it can't be sent either
  }
}
