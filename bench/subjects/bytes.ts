// Fetching and draining as all sides do it, with a count of the bytes: nobody wins by delivering less.
import { setTimeout as sleep } from "node:timers/promises";
import { image } from "../image.ts";
import type { FileType, SubjectSetting } from "./subject.ts";

/** Fetches the image's file. */
export async function fetchImage(
  { upstream }: Pick<SubjectSetting, "upstream">,
  fileType: FileType,
): Promise<Response> {
  const query = new URLSearchParams({ ...image, developmentMode: "false", fileType });
  const response = await fetch(`${upstream.url}/download?${query}`, {
    headers: { "accept-encoding": "identity" },
  });
  if (!response.ok) throw new Error(`The upstream answered ${response.status}`);
  return response;
}

/** Reads to the end at the reader's speed, does with each piece what is to be done, and counts. */
export async function drain(
  { upstream, readerBytesPerSecond }: SubjectSetting,
  stream: AsyncIterable<Uint8Array>,
  use: (piece: Uint8Array) => void = () => undefined,
): Promise<void> {
  const startMs = performance.now();
  let bytes = 0;
  for await (const piece of stream) {
    bytes += piece.length;
    use(piece);
    if (readerBytesPerSecond === undefined) continue;
    const aheadMs = (bytes / readerBytesPerSecond) * 1000 - (performance.now() - startMs);
    if (aheadMs > 5) await sleep(aheadMs); // timers are no finer than that
  }
  if (bytes !== upstream.imageBytes) throw new Error(`${bytes} bytes came of ${upstream.imageBytes}`);
}
