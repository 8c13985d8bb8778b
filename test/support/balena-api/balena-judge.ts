// What balena's own modules make of a raw image, as JSON: its parts, their `.gz`, and a file of the boot partition. A process of its own,
// since their WebAssembly takes over the process's uncaught exceptions. `node balena-judge.ts IMAGE`.
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { setTimeout as sleep } from "node:timers/promises";
import { interact } from "balena-image-fs";
import { getPartitions } from "partitioninfo";

/** What it prints. */
export interface Judgement {
  readonly parts: readonly { sha256: string; crc: number; len: number; zLen: number }[];
  readonly gzSha256: string;
  readonly files: Readonly<Record<string, string>>;
}

interface GzipStream {
  createDeflatePart(): NodeJS.ReadWriteStream & { metadata(): { crc: number; len: number; zLen: number } };
  createGzipFromParts(parts: readonly object[]): NodeJS.ReadableStream;
}
const gzipStream = createRequire(import.meta.url)("gzip-stream") as GzipStream; // without types
const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

const path = process.argv[2] ?? "";
const image = await readFile(path);
const { partitions } = await getPartitions(image, { includeExtended: false });
const bounds = new Set([
  0,
  image.length,
  ...partitions.flatMap(({ offset, size }) => [offset, offset + size]),
]);
const cuts = [...bounds].sort((a, b) => a - b);
const parts = await Promise.all(cuts.slice(1).map((end, index) => deflate(image.subarray(cuts[index], end))));
const gz = await drain(await glued());
const judgement: Judgement = {
  parts: parts.map(({ stream, ...facts }) => ({ ...facts, sha256: sha256(stream) })),
  gzSha256: sha256(gz),
  files: await interact(path, 1, async (fs) => {
    const names = ["/config.json", "/device-type.json", "/system-connections/balena-wifi-01"];
    const read = (name: string) => fs.promises.readFile(name).then(String, (error) => `${error.code}`);
    return Object.fromEntries(await Promise.all(names.map(async (name) => [name, await read(name)])));
  }),
};
console.log(JSON.stringify(judgement));

/** The CRC's WebAssembly says nowhere when it is loaded. */
async function glued(): Promise<NodeJS.ReadableStream> {
  for (;;) {
    try {
      return gzipStream.createGzipFromParts(parts);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      await sleep(5);
    }
  }
}

async function deflate(content: Buffer) {
  const part = gzipStream.createDeflatePart();
  part.write(content); // its `end` takes none
  part.end();
  const stream = await drain(part);
  return { ...part.metadata(), stream };
}

function drain(stream: NodeJS.ReadableStream): Promise<Buffer> {
  const pieces: Buffer[] = [];
  stream.on("data", (piece: Buffer) => pieces.push(piece));
  return new Promise((resolve, reject) => {
    stream.on("end", () => resolve(Buffer.concat(pieces)));
    stream.on("error", reject);
    stream.resume();
  });
}
