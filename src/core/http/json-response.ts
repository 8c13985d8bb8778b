/** An answer of JSON. */

/** A HEAD gets the fields of its GET, the length among them: left to themselves, Bun and Deno would say that it is 0. */
export function jsonResponse(
  request: Request,
  value: unknown,
  status: number,
  headers: Readonly<Record<string, string>>,
): Response {
  const bytes = new TextEncoder().encode(JSON.stringify(value));
  return new Response(request.method === "HEAD" ? null : bytes, {
    status,
    headers: {
      "content-type": "application/json",
      "content-length": String(bytes.length),
      "x-content-type-options": "nosniff",
      ...headers,
    },
  });
}
