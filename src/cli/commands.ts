/** The commands: each is a call of the manager, and how what it says is printed. */
import { once } from "node:events";
import { pipeline } from "node:stream/promises";
import { saveImage, serve } from "../adapters/node/index.ts";
import { createImageHandler } from "../core/http/index.ts";
import type { GetOptions, ImageInfo, ImageManager, ImageVariant, PartialImageInfo } from "../core/index.ts";
import { exitCodes, stopMs, wrong } from "./exit-code.ts";
import { bytesText, columns } from "./output.ts";
import type { Invocation, Values } from "./usage.ts";

/** What a command works with. */
export interface Context extends Invocation, Pick<GetOptions, "onProgress"> {
  readonly images: ImageManager;
  readonly signal: AbortSignal;
  /** Print the result, as JSON or as the text, and a failure that does not end the command. */
  say(facts: unknown, text: string): void;
  warn(what: string, cause: unknown): void;
}

/** Resolves with an exit code, if that is not 0. */
export type Run = (context: Context) => Promise<number | undefined>;

const variant = ["dev", "image-type", "file-type"];
const getting = [...variant, "drafts", "cache", "max-bytes"];

/** What each is, which arguments it takes (those in brackets may be left out), and which options it has. */
export const commands = {
  get: { is: "Writes an image to a file", takes: "TYPE [VERSION]", has: ["output", ...getting], run: get },
  prefetch: { is: "Downloads an image into the store", takes: "TYPE [VERSION]", has: getting, run: prefetch },
  versions: { is: "Lists versions, newest first", takes: "TYPE", has: ["drafts"], run: versions },
  list: { is: "Lists what is in the store", takes: "", has: [], run: list },
  verify: { is: "Reads and checks all that is stored", takes: "", has: ["repair"], run: verify },
  prune: { is: "Deletes what is too much", takes: "", has: ["max-bytes", "unused-days"], run: prune },
  remove: { is: "Deletes an image from the store", takes: "TYPE VERSION", has: variant, run: remove },
  serve: { is: "Serves images over HTTP", takes: "", has: ["port", "host", "max-bytes"], run: serveImages },
} satisfies Record<string, { is: string; takes: string; has: readonly string[]; run: Run }>;

function variantOf({ dev, "image-type": imageType, "file-type": fileType }: Values): ImageVariant {
  return { developmentMode: dev, imageType, fileType } as ImageVariant; // the manager checks them
}

function optionsOf({ values, signal, onProgress }: Context): GetOptions {
  const cache = values.cache as GetOptions["cache"];
  return { ...variantOf(values), includeDrafts: values.drafts, cache, signal, onProgress };
}

async function get(context: Context): Promise<undefined> {
  const { images, type, version, values, signal, say } = context;
  if (!values.output) throw wrong("get needs -o FILE, or -o - for the standard output");
  if (values.output === "-") {
    const image = await images.get(type, version, optionsOf(context));
    await pipeline(image, process.stdout, { end: false, signal });
    await image.committed(); // rejects if nothing proves that the image was complete
  } else {
    const saved = await saveImage(images, type, version, values.output, optionsOf(context));
    say(saved, `${saved.path}: ${nameOf(saved)}, ${bytesText(saved.size)}, from ${saved.origin}`);
  }
}

async function prefetch(context: Context): Promise<undefined> {
  const info = await context.images.prefetch(context.type, context.version, optionsOf(context));
  context.say(info, `${nameOf(info)}, ${bytesText(info.size)}`);
}

async function versions({ images, type, values, signal, say }: Context): Promise<undefined> {
  const found = await images.versions(type, { includeDrafts: values.drafts, signal });
  say(found, columns(found.map((one) => [one.version, one.createdAt ?? "", one.draft ? "draft" : one.line])));
}

async function list({ images, say }: Context): Promise<undefined> {
  const found: (ImageInfo | PartialImageInfo)[] = [];
  for await (const image of images.list()) found.push(image);
  const rows = found.map((image) => {
    const kind = Object.values(image.variant).map((value) => (value === true ? "dev" : String(value)));
    const bytes = image.isComplete ? image.size : image.transferredBytes;
    const state = image.isComplete ? (image.pinned ? "pinned" : "") : "unfinished";
    return [image.deviceType, image.version, kind.join(" "), bytesText(bytes), state];
  });
  say(found, columns(rows.sort()));
}

async function verify({ images, values, signal, onProgress, say }: Context): Promise<number> {
  const report = await images.verify({ repair: values.repair, signal, onProgress });
  const lines = report.damaged.map(({ chunks, isRepaired, ...image }) => {
    return `${nameOf(image)}: ${chunks.length} chunks ${isRepaired ? "repaired" : "damaged"}`;
  });
  lines.push(...report.unreadable.map((id) => `${id}: can't be read`));
  say(report, [...lines, `${report.images} images, ${bytesText(report.checkedBytes)} checked`].join("\n"));
  const isBad = report.unreadable.length > 0 || report.damaged.some(({ isRepaired }) => !isRepaired);
  return isBad ? exitCodes.INTEGRITY : 0;
}

async function prune({ images, values: { "unused-days": days }, say }: Context): Promise<undefined> {
  const unusedForMs = days === undefined ? undefined : Number(days || "none") * 24 * 3600 * 1000;
  const report = await images.prune({ unusedForMs });
  const lines = [...report.evicted.map((id) => `${id}: deleted`), `${bytesText(report.freedBytes)} freed`];
  say(report, lines.join("\n"));
}

async function remove({ images, type, version = "", values, say }: Context): Promise<number> {
  const removed = await images.remove(type, version, variantOf(values));
  say({ removed }, `${type} ${version}: ${removed ? "deleted" : "not in the store"}`);
  return removed ? 0 : exitCodes.NOT_CACHED;
}

async function serveImages({ images, values, signal, say, warn }: Context): Promise<undefined> {
  const { port = "8080", host, "max-bytes": maxBytes } = values;
  if (maxBytes === undefined) throw wrong("serve needs --max-bytes, such as 50GB");
  const onError = (cause: unknown, { url }: Request) => warn(new URL(url).pathname, cause);
  const handler = createImageHandler(images, { onError });
  const address = { port: Number(port || "none"), hostname: host };
  const { url, close } = await serve(handler, { ...address, onError, closeTimeoutMs: stopMs - 1_000 });
  say({ url }, url);
  if (!signal.aborted) await once(signal, "abort");
  await close();
}

const nameOf = (image: { deviceType: string; version: string }) => `${image.deviceType} ${image.version}`;
