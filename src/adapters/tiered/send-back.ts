/** Sends to the far store what the near one had to take while the far one was away. */
import { bounds } from "../../core/bounds.ts";
import { eachOf } from "../../core/each.ts";
import { chunkKeyNextTo, copyKeyOf, isCopyKey, isManifestKey, kindOf } from "./kinds.ts";
import { limitFor, type Tiers } from "./tiers.ts";

/** A line may be thin, and gets go first. */
const chunksAtOnce = 2;
const maxBytes = bounds.chunkBytes + bounds.chunkEncodingBytes;

/** Sends when there is something to send, and the far store is there. */
export interface Sender {
  /** To be called at each call: a far store that is back is noticed by being asked. */
  look(): void;
}

/** Begins with what an earlier process could not send. */
export function createSender(tiers: Tiers): Sender {
  const { link, own, farReadOnly, background } = tiers;
  let isSending = false;
  return {
    look() {
      if (farReadOnly || isSending || !own.isNew || link.isAway) return;
      isSending = true;
      own.isNew = false;
      const ended = () => {
        isSending = false;
      };
      const failed = () => {
        own.isNew = true;
      };
      background.run(sendBack(tiers).catch(failed).then(ended));
    },
  };
}

/** An image after the other. What can't be sent stays, for the next time. */
async function sendBack(tiers: Tiers): Promise<void> {
  const records = await tiers.own.lookedAt(async () => {
    const own = (await tiers.near.list("")).filter((key) => !isCopyKey(key) && kindOf(key) !== "chunk");
    return { isAny: own.length > 0, found: own.filter((key) => kindOf(key) === "record") };
  });
  for (const key of records) await sendRecord(tiers, key);
}

async function sendRecord(tiers: Tiers, key: string): Promise<void> {
  const { near, far, link } = tiers;
  const bytes = await near.read(key, { maxBytes });
  if (!bytes) return;
  const theirs = await link.call("read", () => far.read(key, { maxBytes }));
  if (!theirs || isNewer(bytes, theirs)) {
    if (isManifestKey(key)) await sendChunks(tiers, key, bytes);
    await link.call("write", () => far.write(key, bytes));
    await near.write(copyKeyOf(key), bytes);
  }
  await near.remove(key);
}

/** A manifest follows all of its chunks. One that neither store has is the upstream's to give: reading the image heals it. */
async function sendChunks(tiers: Tiers, manifestKey: string, manifest: Uint8Array): Promise<void> {
  const { near, far, link, unsent } = tiers;
  const digests = (jsonOf(manifest)?.["chunks"] ?? []) as (string | null)[];
  const keys = [...new Set(digests)].filter((digest) => digest !== null);
  await eachOf(
    keys.map((digest) => chunkKeyNextTo(manifestKey, digest)),
    async (key) => {
      const isThere = !unsent.has(key) && (await link.call("read", () => far.has(key)));
      const bytes = isThere ? undefined : await near.read(key, { maxBytes });
      const limitMs = limitFor(tiers, bytes?.length ?? 0);
      if (bytes) await link.call("write", () => far.write(key, bytes), { limitMs });
      unsent.delete(key);
    },
    chunksAtOnce,
  );
}

/** Of two manifests the one that was made later counts, and of the same one what was written here. Other values: what was written here. */
function isNewer(ours: Uint8Array, theirs: Uint8Array): boolean {
  const [here, there] = [jsonOf(ours)?.["createdAt"], jsonOf(theirs)?.["createdAt"]];
  return !(typeof here === "number" && typeof there === "number") || here >= there;
}

function jsonOf(bytes: Uint8Array): Record<string, unknown> | undefined {
  try {
    return JSON.parse(new TextDecoder().decode(bytes)) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}
