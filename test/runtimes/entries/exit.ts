// A script that uses a manager, ends a get in some way and closes: after its last line the runtime must end by itself.
import { balenaApiSource } from "../../../src/adapters/balena-api/index.ts";
import { createImageManager, type ImageManager } from "../../../src/core/index.ts";
import { startRemoteApi } from "../suites/remote-api.ts";
import { type StorePlace, storeAt } from "../suites/store-at.ts";

/** How the script goes, as JSON in `TEST_TASK`. */
export interface ExitTask {
  readonly place: StorePlace;
  readonly ending: keyof typeof endings;
  readonly closing: "close()" | "await using" | "no close";
}

const version = "6.0.10";
const slug = "raspberrypi4-64";
const api = await startRemoteApi(process.env["TEST_CONTROL_URL"] ?? "");

const endings = {
  async "a whole get"(images: ImageManager) {
    await images.get(slug, version).then((image) => new Response(image).arrayBuffer());
  },
  async "a get left half-way"(images: ImageManager) {
    await begin(images);
  },
  async "an aborted get"(images: ImageManager) {
    const abort = new AbortController();
    const { isWhole } = await begin(images, abort.signal);
    abort.abort(new Error("changed my mind"));
    if (await isWhole) throw new Error("The get was not aborted");
  },
  async "a failed get"(images: ImageManager) {
    await api.setFaults({ endShort: { atPercent: 60, how: "chunked" } });
    const image = await images.get(slug, version);
    if (await endsWhole(image.getReader())) throw new Error("The get did not fail");
  },
  async "a get between two tries"(images: ImageManager) {
    await api.setFaults({ refuse: { status: 503, retryAfter: 25 } });
    images.get(slug, version).catch(() => undefined);
    while ((await api.counters()).downloads === 0) await passed(20);
    await passed(200); // by now the answer is here
  },
};

const { place, ending, closing } = JSON.parse(process.env["TEST_TASK"] ?? "") as ExitTask;
const storage = storeAt(place);
if (closing === "await using") {
  await using images = createManager();
  await use(images);
} else {
  const images = createManager();
  await use(images);
  if (closing === "close()") await images.close();
}
await storage.dispose?.();
console.log("closed");

function createManager(): ImageManager {
  const retry = { attempts: 2, minDelayMs: 10, maxDelayMs: 30_000 };
  const source = balenaApiSource({ apiUrl: api.url });
  return createImageManager({ source, storage, chunkBytes: 256 * 1024, retry });
}

async function use(images: ImageManager): Promise<void> {
  await images.prefetch(slug, "6.1.0");
  await endings[ending](images);
}

/** Has the first bytes, and waits for the rest, which never comes. */
async function begin(images: ImageManager, signal?: AbortSignal): Promise<{ isWhole: Promise<boolean> }> {
  await api.setFaults({ stall: { atPercent: 50 } });
  const reader = (await images.get(slug, version, { signal })).getReader();
  await reader.read();
  return { isWhole: endsWhole(reader) };
}

function passed(timeMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, timeMs));
}

async function endsWhole(reader: ReadableStreamDefaultReader<unknown>): Promise<boolean> {
  try {
    while (!(await reader.read()).done);
    return true;
  } catch {
    return false;
  }
}
