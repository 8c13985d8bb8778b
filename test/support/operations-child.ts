// A process that does one thing with a manager over a filled store and closes it. Then nothing must keep the process alive.
import { balenaApiSource } from "../../src/adapters/balena-api/index.ts";
import { memoryAdapter } from "../../src/adapters/memory/index.ts";
import { createImageManager, type ImageManager, type ImageStream } from "../../src/core/index.ts";
import { chunkKeysOf, damage } from "./stored-values.ts";

const [apiUrl, slug, version, chunkBytes] = JSON.parse(process.argv[3] ?? "[]") as [
  string,
  string,
  string,
  number,
];
const raw = { fileType: ".img" } as const;
const storage = memoryAdapter();
const images = createImageManager({
  source: balenaApiSource({ apiUrl }),
  storage,
  chunkBytes,
  freshness: { maxAgeMs: 1_000_000 },
  maxBytes: 2 ** 30,
});

const get = (options = {}) => images.get(slug, version, { ...raw, ...options });
const drain = async (stream: ImageStream) => void (await new Response(stream).arrayBuffer());

/** Damages chunks of the stored image, from the first on. */
async function spoil(chunks: number): Promise<void> {
  const info = await images.inspect(slug, version, raw);
  const keys = await chunkKeysOf(storage, info!.id);
  for (const key of keys.slice(0, chunks)) await damage(storage, key!, "missing");
}

/** Takes one piece and does not come back. */
async function readOnce(stream: ImageStream): Promise<void> {
  await stream.getReader().read();
}

const operations: Record<string, (manager: ImageManager) => Promise<unknown>> = {
  "a get from the cache": () => get().then(drain),
  "a fresh download": () => get({ cache: "reload" }).then(drain),
  "a revalidation": () => get({ cache: "no-cache" }).then(drain),
  "a get past the cache": () => get({ cache: "no-store" }).then(drain),
  "a range": () => get({ range: { start: 5, end: 10 } }).then(drain),
  "a download that nobody goes on reading": () => get({ cache: "reload" }).then(readOnce),
  "a download that nobody begins to read": () => get({ cache: "reload" }),
  "a get that is healed by a range": () =>
    spoil(1)
      .then(() => get())
      .then(drain),
  "a get that is healed by a whole transfer": () =>
    spoil(12)
      .then(() => get())
      .then(drain),
  "a heal that nobody goes on reading": () =>
    spoil(4)
      .then(() => get())
      .then(readOnce),
  "a heal that is left": () =>
    spoil(4).then(async () => {
      const reader = (await get()).getReader();
      await reader.read();
      await reader.cancel();
    }),
  "verify with repair": () => spoil(1).then(() => images.verify({ repair: true })),
  verify: () => images.verify(),
  prefetch: () => images.prefetch(slug, version),
  resolve: () => images.resolve(slug, "^6.0.0"),
  versions: () => images.versions(slug),
  isFresh: () => images.isFresh(slug, version, raw),
  list: async () => {
    for await (const _ of images.list());
  },
  "pin and unpin": () => images.pin(slug, version, raw).then(() => images.unpin(slug, version, raw)),
  remove: () => images.remove(slug, version, raw),
  prune: () => images.prune({ maxBytes: 0 }),
  cleanCache: () => images.cleanCache(),
};

if (process.argv[2] === undefined) console.log(JSON.stringify(Object.keys(operations)));
else {
  await images.prefetch(slug, version, raw);
  await operations[process.argv[2]]!(images);
  await images.close();
  console.log("closed");
}
