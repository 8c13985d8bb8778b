// The example of a source with parts: what it cuts is what a manager puts together.
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterAll, expect, test } from "vitest";
import { cutImage, partsDirectorySource } from "../../../examples/parts-directory.ts";
import { memoryAdapter } from "../../../src/adapters/memory/index.ts";
import { createImageManager } from "../../../src/core/index.ts";
import { bytesOf, sha256 } from "../../support/collect.ts";
import { noise, serving } from "../../support/own-parts.ts";

const directory = await mkdtemp(join(tmpdir(), "parts-directory-"));
afterAll(() => rm(directory, { recursive: true }));

test("an image that the example has cut comes whole, as it was, and as a .gz", async () => {
  const content = noise(3_000_000);
  await writeFile(join(directory, "acme.img"), content);
  await cutImage(join(directory, "acme.img"), join(directory, "www"), 1_000_000);
  const files = new Map<string, Uint8Array>([
    ["/index.json", Buffer.from(JSON.stringify({ "acme-gateway": ["6.1.0"] }))],
  ]);
  for (const name of await readdir(join(directory, "www")))
    files.set(`/acme-gateway/6.1.0/${name}`, await readFile(join(directory, "www", name)));
  const { fetch, asked } = serving(files);
  const source = partsDirectorySource("http://images.example/", { fetch });
  await using images = createImageManager({ source, storage: memoryAdapter(), fetch, connections: 4 });
  const stream = await images.get("acme-gateway", "^6.0.0");
  expect(stream.size).toBe(content.length);
  expect(sha256(await bytesOf(stream))).toBe(sha256(content));
  expect(asked.filter(({ path }) => path.endsWith(".deflate"))).toHaveLength(3);
  const gz = await bytesOf(await images.get("acme-gateway", "6.1.0", { fileType: ".gz" }));
  expect(sha256(gunzipSync(gz))).toBe(sha256(content));
});
