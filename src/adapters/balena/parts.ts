/** Reads the parts of an image from a release's assets: the table `image.json`, and the addresses of the parts. */
import { isCount } from "../../core/checks.ts";
import type { ImagePart, ImageParts, ImageVariant } from "../../core/types.ts";
import { isImageParts, isPartName, maxParts } from "../../core/upstream/part-list.ts";
import { PartsUnavailableError } from "../../core/upstream/parts-unavailable.ts";

/** A file of a release, as the API names it. */
export interface ReleaseAsset {
  /** For example `compressed/part-1.deflate`. */
  readonly key: string;
  readonly href: string;
  /** Bytes, if the API says so. */
  readonly size: number | undefined;
}

/** Where a release keeps the parts of an image type: the table of contents, and the folder of the parts. */
export interface PartsPlace {
  readonly contents: string;
  readonly folder: string;
}

/** Where the parts of a variant's image lie. */
export function partsPlace({ imageType }: ImageVariant): PartsPlace {
  const suffix = imageType === undefined ? "" : `-${imageType}`;
  return { contents: `image${suffix}.json`, folder: `compressed${suffix}/` };
}

/** Whether an image may be fetched by parts. Only the image maker can make an image that it configures or packs in another way. */
export function isMadeOfParts({
  fileType,
  scope: _scope,
  imageType: _imageType,
  ...configured
}: ImageVariant): boolean {
  return (fileType === undefined || fileType === ".gz") && Object.keys(configured).length === 0;
}

/**
 * The parts that a table of contents names, each with its address.
 *
 * @throws {PartsUnavailableError} `UPSTREAM` for a table that makes no sense, or names what is not there.
 */
export function partsIn(
  contents: unknown,
  { folder }: PartsPlace,
  assets: readonly ReleaseAsset[],
): ImageParts {
  const entries = entriesIn(contents);
  if (entries.length === 0 || entries.length > maxParts) throw nonsense(`it names ${entries.length} parts`);
  const byKey = new Map(assets.map((asset) => [asset.key, asset]));
  const made = { parts: entries.map((entry) => partOf(entry, folder, byKey)) };
  if (!isImageParts(made))
    throw nonsense("a name comes twice, a part is empty, or all of them are too large");
  return made;
}

type Entry = Readonly<Record<string, unknown>>;

/** `{ "resin.img": { "parts": [ … ] } }`; the image may have another name. */
function entriesIn(contents: unknown): Entry[] {
  const [image, ...others] = isObject(contents) ? Object.values(contents) : [];
  const parts = isObject(image) ? image["parts"] : undefined;
  if (others.length > 0 || !Array.isArray(parts) || !parts.every(isObject))
    throw nonsense("it has another shape");
  return parts;
}

function partOf(entry: Entry, folder: string, assets: ReadonlyMap<string, ReleaseAsset>): ImagePart {
  const { filename, crc, len, zLen } = entry;
  if (!isPartName(filename)) throw nonsense("a part has a name that is no file name");
  if (!isCount(len) || !isCount(zLen) || !isCount(crc) || crc > 0xffffffff)
    throw nonsense(`the length or checksum of ${filename} is no number`);
  const asset = assets.get(folder + filename);
  if (!asset) throw nonsense(`the release has no ${folder}${filename}`);
  if (!isHttpUrl(asset.href)) throw nonsense(`the address of ${filename} is no http(s) URL`);
  if (asset.size !== undefined && asset.size !== zLen)
    throw nonsense(`${filename} has ${asset.size} bytes where ${zLen} are said`);
  return {
    name: filename,
    url: asset.href,
    encoding: "deflate-raw",
    wireBytes: zLen,
    bytes: len,
    crc32: crc,
  };
}

function nonsense(what: string): PartsUnavailableError {
  return new PartsUnavailableError(`The release's table of parts is not valid: ${what}`);
}

function isHttpUrl(text: string): boolean {
  const url = URL.parse(text);
  return /^https?:$/.test(url?.protocol ?? "") && url?.username === "" && url.password === "";
}

const isObject = (value: unknown): value is Entry =>
  typeof value === "object" && value !== null && !Array.isArray(value);
