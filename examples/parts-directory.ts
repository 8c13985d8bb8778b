// Images in parts, in a directory of a web server. Cuts an image into parts, and is a source of what it has cut:
//   node parts-directory.ts acme.img ./www/acme-gateway/6.1.0
//   createImageManager({ source: partsDirectorySource("https://images.example.com/"), connections: 4, … })
// The directory also needs an index.json beside the device types: { "acme-gateway": ["6.1.0"] }
import { mkdir, open, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { constants, crc32, deflateRawSync } from "node:zlib";
import type { ImagePart, ImageSource } from "balena-image-manager";

type ListedPart = Omit<ImagePart, "url" | "headers">;

/** Writes the parts of an image, and parts.json, which lists them, last. */
export async function cutImage(
  image: string,
  directory: string,
  partBytes = 64 * 1024 * 1024,
): Promise<void> {
  await mkdir(directory, { recursive: true });
  await using file = await open(image);
  const parts: ListedPart[] = [];
  for (const buffer = new Uint8Array(partBytes); ; ) {
    const { bytesRead } = await file.read(buffer, 0, partBytes, parts.length * partBytes);
    if (bytesRead === 0) break;
    const bytes = buffer.subarray(0, bytesRead);
    // A sync flush at the end and no final block: so the parts can be put together to one gzip file.
    const wire = deflateRawSync(bytes, { finishFlush: constants.Z_SYNC_FLUSH });
    const name = `part-${parts.length}.deflate`;
    await writeFile(join(directory, name), wire);
    const sizes = { wireBytes: wire.length, bytes: bytes.length, crc32: crc32(bytes) };
    parts.push({ name, encoding: "deflate-raw", ...sizes });
  }
  await writeFile(join(directory, "parts.json"), JSON.stringify(parts));
}

/** Such a directory as a source. `base` ends in a slash. */
export function partsDirectorySource(base: string, { fetch = globalThis.fetch } = {}): ImageSource {
  async function read<T>(path: string, signal?: AbortSignal): Promise<T> {
    const response = await fetch(new URL(path, base), { signal: signal ?? null });
    if (!response.ok) throw new Error(`${path}: HTTP ${response.status}`);
    return response.json() as Promise<T>;
  }
  return {
    id: base,
    resolveDeviceType: async (slug) => slug, // there are no aliases here
    async versions(slug, { signal }) {
      const index = await read<Record<string, string[]>>("index.json", signal);
      return (index[slug] ?? []).map((version) => ({ version, line: "default", draft: false }));
    },
    async request({ deviceType, version, isWhole, signal }) {
      if (isWhole) throw new Error("There are only parts here");
      const place = `${deviceType}/${encodeURIComponent(version)}/`;
      const parts = await read<ListedPart[]>(`${place}parts.json`, signal);
      return { parts: parts.map((part) => ({ ...part, url: new URL(place + part.name, base) })) };
    },
  };
}

const [image, directory] = process.argv.slice(2);
if (import.meta.main && image && directory) await cutImage(image, directory);
