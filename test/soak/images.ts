// The images of a run, and files with the very bytes that readers must get.
import { createHash } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { BalenaApi } from "../support/balena-api/index.ts";
import type { SoakImage } from "./protocol.ts";

const slug = "raspberrypi4-64";
const kinds: readonly Omit<SoakImage, "file" | "sha256">[] = [
  { name: "raw", deviceType: slug, version: "6.1.0", variant: {} },
  { name: "raw-dev", deviceType: slug, version: "6.1.0", variant: { developmentMode: true } },
  { name: "img", deviceType: slug, version: "6.1.0", variant: { fileType: ".img" } },
  { name: "other-img", deviceType: slug, version: "6.0.10", variant: { fileType: ".img" } },
  { name: "gz", deviceType: slug, version: "6.0.10", variant: { fileType: ".gz" } },
  { name: "nuc", deviceType: "intel-nuc", version: "6.4.0+rev1", variant: {} },
];

/** Writes the files, and makes what the upstream serves, so that no get waits for it. */
export async function prepareImages(api: BalenaApi, directory: string): Promise<SoakImage[]> {
  const images: SoakImage[] = [];
  for (const kind of kinds) {
    const { developmentMode, fileType } = kind.variant;
    const served = api.image(kind.deviceType, kind.version, { developmentMode });
    await Promise.all([served.prepare(".gz"), served.prepare(".img")]);
    const bytes =
      fileType === ".gz" ? await packed(api, kind.deviceType, kind.version) : await served.content();
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    if (fileType !== ".gz" && sha256 !== (await served.sha256))
      throw new Error(`${kind.name} is not what the upstream says`);
    const file = join(directory, kind.name);
    await writeFile(file, bytes);
    images.push({ ...kind, file, sha256 });
  }
  return images;
}

/** The `.gz` file itself. */
async function packed(api: BalenaApi, deviceType: string, version: string): Promise<Uint8Array> {
  const query = new URLSearchParams({ deviceType, version, developmentMode: "false", fileType: ".gz" });
  const response = await fetch(`${api.url}/download?${query}`, {
    headers: { "accept-encoding": "identity" },
  });
  return new Uint8Array(await response.arrayBuffer());
}
