/** What `fetch` throws, without the address: that of a configured image carries a Wi-Fi key, and redirects carry signatures. */

/** The error itself, or a copy where it names the address: Deno does so in a message, Bun in a `path`. */
export function withoutAddress(cause: unknown, url: URL): unknown {
  if (!(cause instanceof Error)) return cause;
  const { code, path } = cause as { code?: unknown; path?: unknown };
  const inner = withoutAddress(cause.cause, url);
  const address = url.origin + url.pathname + url.search;
  const isNamed = [cause.message, cause.stack, path].some((text) => String(text).includes(address));
  if (!isNamed && inner === cause.cause) return cause;
  const copy = new Error(cause.message.replaceAll(address, url.origin), { cause: inner });
  return Object.assign(copy, { name: cause.name, ...(code !== undefined && { code }) });
}
