// A process that gets images from a server that closes each connection, over a slow store, and is slow to read them itself.
import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { memoryAdapter } from "../../src/adapters/memory/index.ts";
import { createImageManager, type StoreDriver } from "../../src/core/index.ts";

const [url, sizes, rounds] = JSON.parse(process.argv[2] ?? "") as [string, number[], number];
const chunkBytes = 256 * 1024;
const nap = () => sleep(Math.random() * 15);

function slowStore(): StoreDriver {
  const { getItemRaw, setItemRaw, getKeys, ...inner } = memoryAdapter();
  return {
    ...inner,
    getItemRaw: (key, options) => nap().then(() => getItemRaw?.(key, options)),
    setItemRaw: (key, value, options) => nap().then(() => setItemRaw?.(key, value, options)),
    getKeys: (base, options) => nap().then(() => getKeys(base, options)),
  };
}

async function get(size: number): Promise<void> {
  const manager = createImageManager({
    source: {
      id: url,
      resolveDeviceType: async (slug) => slug,
      versions: async () => [{ version: "1.0.0", line: "default", draft: false }],
      request: async () => ({ url: `${url}/${size}`, gzip: false }),
    },
    storage: slowStore(),
    chunkBytes,
    memoryBytes: chunkBytes,
    maxBytes: 2 ** 30,
    retry: { minDelayMs: 1, maxDelayMs: 10 },
  });
  const hash = createHash("sha256");
  for await (const piece of await manager.get("intel-nuc", "1.0.0")) {
    hash.update(piece);
    await nap();
  }
  await manager.close();
  console.log(JSON.stringify({ size, sha256: hash.digest("hex") }));
}

for (let round = 0; round < rounds; round++) await Promise.all(sizes.map(get));
