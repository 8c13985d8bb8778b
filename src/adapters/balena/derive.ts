/** Says whether a configured image follows from the plain one. */
import type { DerivedImage, ResolvedImage } from "../../core/types.ts";
import type { ApiClient } from "../balena-api/client.ts";
import type { RememberedDeviceTypes } from "./derived-image.ts";

/** A source's `derive`. It remembers device types. */
export function deriver(client: ApiClient): (image: ResolvedImage) => Promise<DerivedImage | undefined> {
  const remembered: RememberedDeviceTypes = new Map();
  return async (image) => {
    const { imageType: _, fileType: _file, ...configured } = image.variant;
    if (Object.keys(configured).length === 0 || !isRawDisk(image)) return undefined;
    // Loaded when it is needed: most programs never configure an image.
    const { derivedImage } = await import("./derived-image.ts");
    return derivedImage(client, image, remembered);
  };
}

/** In an archive, files can't be replaced in place. The first version of the OS keeps its network elsewhere. */
function isRawDisk({ version, variant: { fileType } }: ResolvedImage): boolean {
  const major = Number.parseInt(version.replace(/^v/i, ""), 10);
  return (fileType === undefined || fileType === ".img") && major >= 2;
}
