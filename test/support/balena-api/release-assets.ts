// The files that a release consists of: its parts with their lists, versions and device-type.json, by the keys that balena gives them.
import { deviceTypeJsonOf } from "./device-type-json.ts";
import type { DeviceTypeFixture, ReleaseFixture } from "./fixtures.ts";
import type { ImageIdentity, StoredImage } from "./image.ts";
import { bytesFile, type PackedFile } from "./packed-files.ts";

/** An asset. */
export interface ReleaseAsset {
  readonly key: string;
  readonly contentType: string;
  readonly file: PackedFile;
}

type ImageType = "raw" | "flasher" | undefined;
type ImageOf = (identity: ImageIdentity) => StoredImage;
const supervisorVersion = "17.0.4";

/** All assets; none of a release that was made before there were any, nor of an archive type. */
export async function assetsOf(
  type: DeviceTypeFixture,
  release: ReleaseFixture,
  imageOf: ImageOf,
  contentRevision = 0,
): Promise<ReleaseAsset[]> {
  const { version } = release;
  if (version === null || release.assets === false || type.archive === true) return [];
  const imageTypes: ImageType[] = [undefined, ...(type.imageTypes ?? [])];
  const images = imageTypes.map((imageType) => {
    const variant = imageType === undefined ? {} : { imageType };
    return partsOf(imageType, imageOf({ slug: type.slug, version, variant, contentRevision }));
  });
  return [
    text("VERSION", supervisorVersion),
    text("VERSION_HOSTOS", version),
    json("device-type.json", deviceTypeJsonOf(type)),
    ...(await Promise.all(images)).flat(),
  ];
}

async function partsOf(imageType: ImageType, image: StoredImage): Promise<ReleaseAsset[]> {
  const suffix = imageType === undefined ? "" : `-${imageType}`;
  const parts = await image.parts();
  const entries = parts.map(({ file: _, ...entry }) => entry);
  return [
    json(`image${suffix}.json`, { "resin.img": { parts: entries } }),
    ...parts.map(({ filename, file }) => ({
      key: `compressed${suffix}/${filename}`,
      contentType: "application/octet-stream",
      file,
    })),
  ];
}

const text = (key: string, content: string, contentType = "text/plain"): ReleaseAsset => ({
  key,
  contentType,
  file: bytesFile(Buffer.from(content)),
});
const json = (key: string, content: unknown) => text(key, JSON.stringify(content), "application/json");
