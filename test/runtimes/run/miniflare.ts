// workerd by way of Miniflare, which is loaded only where a Worker is wanted.

/** Miniflare's class, or an error that says how to install it. */
export async function loadMiniflare(): Promise<typeof import("miniflare").Miniflare> {
  const { Miniflare } = await import("miniflare").catch(() => {
    throw new Error("workerd is not installed: run `npm install --save-dev miniflare`");
  });
  return Miniflare;
}
