// `npm run kills -- --store fs|redis|s3 --megabytes 510 --kills 20 --seed 1 --link 25`: a large image in parts, got over a link of so many
// megabytes a second by processes that are killed at random places. Says how many bytes the server sent, against those of the image. Without
// a link, up to 36 MB that the server has sent can lie in the sockets of this machine.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { startServices, stopServices } from "../../scripts/services/services.ts";
import { createRandom } from "../soak/random.ts";
import { startBalenaApi } from "../support/balena-api/index.ts";
import type { ChildStore } from "../support/child.ts";
import { startTestRedis } from "../support/redis-server.ts";
import { newBucket } from "../support/s3-service.ts";
import { randomPlaces, runKills } from "./run-kills.ts";

const MiB = 1024 * 1024;
const { values } = parseArgs({
  options: {
    store: { type: "string", default: "fs" },
    megabytes: { type: "string", default: "510" },
    kills: { type: "string", default: "20" },
    seed: { type: "string", default: "1" },
    /** 200 Mbit/s. */
    link: { type: "string", default: "25" },
    /** Inflate with zlib itself. */
    zlib: { type: "boolean", default: false },
  },
});
/** Raw bytes of a generated image for each of its compressed ones. */
const rawPerWire = 4.06;
const imageBytes = Math.ceil((Number(values.megabytes) * 1e6 * rawPerWire) / 512) * 512;

interface OpenedStore {
  readonly store: ChildStore;
  close(): Promise<unknown>;
}

const stores: Record<string, () => Promise<OpenedStore>> = {
  async fs() {
    const base = await mkdtemp(join(tmpdir(), "kills-"));
    return { store: { base }, close: () => rm(base, { recursive: true, force: true }) };
  },
  async redis() {
    const server = await startTestRedis();
    return { store: { redisUrl: server.url }, close: () => server.stop() };
  },
  async s3() {
    const services = await startServices();
    Object.assign(process.env, services.environment);
    const { access } = await newBucket();
    return { store: { s3: access }, close: () => stopServices(services) };
  },
};

const open = stores[values.store];
if (!open) throw new Error(`--store must be one of ${Object.keys(stores).join(", ")}`);
const random = createRandom(Number(values.seed), "places");
const api = await startBalenaApi({ assets: true, imageBytes, holeFree: true });
const [deviceType, version] = ["raspberrypi4-64", "6.1.0"];
const image = api.image(deviceType, version);
const wireBytes = (await image.gzBytes()) - 20;
const sha256 = await image.sha256;
console.log(`kills: ${values.store}, seed ${values.seed}: ${imageBytes} bytes raw, ${wireBytes} on the wire`);
const { store, close } = await open();
api.faults.linkBytesPerSecond = Number(values.link) * 1e6;
// Servers of its own must not outlive it.
process.once("SIGTERM", () => void close().finally(() => process.exit(1)));
try {
  const places = randomPlaces(() => random.next(), Number(values.kills), imageBytes);
  const report = await runKills({
    api,
    deviceType,
    version,
    store,
    chunkBytes: 4 * MiB,
    places,
    isZlib: values.zlib,
    onKill: (line) => console.log(JSON.stringify(line)),
  });
  const extra = report.sentBytes - wireBytes;
  const allowed = 1.02 * wireBytes + report.kills * 8 * MiB;
  console.log(
    `sent ${report.sentBytes}: ${(report.sentBytes / wireBytes).toFixed(3)} x, ${report.kills} kills, ` +
      `${(extra / report.kills / MiB).toFixed(2)} MiB more for each (allowed: ${Math.floor(allowed)} in all)`,
  );
  if (report.sha256 !== sha256 || !report.isCommitted)
    throw new Error("The image is not right, or not stored");
  if (report.sentBytes > allowed) throw new Error("The server sent too much");
} finally {
  await close();
  await api.close();
}
