/**
 * What is stored, as far as sums need to know it. It comes from the ledger, so it costs the same whether there are ten images or ten
 * thousand. If the store has no ledger yet, or a damaged one, every manifest is read once, and the ledger is written.
 */
import { inBackground, type ManagerContext } from "../context.ts";
import { type Content, contentOf, joined } from "../store/content.ts";
import {
  type Inventory,
  type Partials,
  type PassOver,
  readPartials,
  type StoredImage,
} from "../store/inventory.ts";
import { mostNews } from "../store/ledger.ts";
import type { LedgerImage, LedgerSum } from "../store/ledger-sum.ts";
import type { Manifest } from "../store/manifest.ts";
import { orPassOver } from "../store/pass-over.ts";
import { orStoreFault } from "../store-fault.ts";

/** What there is. The images are as the ledger knows them. */
export interface Stock extends Partials {
  readonly images: ReadonlyMap<string, LedgerImage>;
  /** The store failed to give some of it. So it is not certain which chunks are needed. */
  readonly isUncertain: boolean;
}

/** Looks. `isKnown`: ids whose journals are not looked at. Run it under the lock. */
export async function lookAtStock(
  context: ManagerContext,
  isKnown: (id: string) => boolean = () => false,
): Promise<Stock> {
  if (!context.store.completeListing) return takeStock(context);
  const { store, ledger, onUnreadable } = context;
  // Journals before the ledger: a commit is noted before its journal goes.
  let isUncertain = false;
  const onUnreadableJournal = (cause: unknown) => {
    isUncertain = true;
    onUnreadable(cause);
  };
  const passOver: PassOver = (read) => orPassOver(store, onUnreadableJournal, read);
  const partials = await readPartials(store, passOver, isKnown);
  const sum = await ledger.read(store, onUnreadable);
  if (!sum.isComplete) return takeStock(context);
  if (sum.news > mostNews) await rewriteLedger(context, sum.keys, sum.images);
  return { ...partials, images: sum.images, isUncertain };
}

/** Everything that takes room, but for what this process is writing. */
export function contentsOf({ images, journals }: Stock): Content[] {
  return [...images.values(), ...journals.values()].map(({ content }) => content);
}

/** The stock as it was found by reading everything. */
export function stockOf({ now }: Pick<ManagerContext, "now">, inventory: Inventory): Stock {
  const { images, usedAt } = inventory;
  const known = ([id, image]: [string, StoredImage]): [string, LedgerImage] => [
    id,
    ledgerImageOf(image, image.content, Math.min(now(), usedAt.get(id) ?? 0)),
  ];
  return { ...inventory, images: new Map([...images].map(known)) };
}

/** What the ledger is to say of an image. */
export function ledgerImageOf(
  { createdAt, pinned }: Pick<Manifest, "createdAt" | "pinned">,
  content: Content,
  usedAt = 0,
): LedgerImage {
  return { stamp: createdAt, usedAt: Math.max(createdAt, usedAt), pinned, content };
}

/** Reads every manifest, and writes what it has found into the ledger. */
export async function takeStock(context: ManagerContext): Promise<Stock> {
  const { store, ledger, onUnreadable } = context;
  const before = store.completeListing && (await ledger.read(store, onUnreadable));
  const stock = stockOf(context, await context.inventory());
  return before ? { ...stock, images: await correctLedger(context, before, stock) } : stock;
}

/** Puts the ledger right, of which a look before that reading is given. Gives the images that it names now. */
export async function correctLedger(
  context: ManagerContext,
  { keys, images: noted }: Pick<LedgerSum, "keys" | "images">,
  stock: Stock,
): Promise<ReadonlyMap<string, LedgerImage>> {
  const images = new Map(stock.images);
  for (const [id, image] of noted) {
    const found = stock.images.get(id);
    // A commit is noted before its manifest is there.
    const isOnItsWay = Math.abs(context.now() - image.stamp) < recentMs || stock.journalIds.includes(id);
    if (found) images.set(id, corrected(image, found, isOnItsWay));
    else if (isOnItsWay || stock.isUncertain) images.set(id, image);
  }
  if (!stock.isUncertain) await rewriteLedger(context, keys, images);
  return images;
}

/** Longer than any commit takes between its note and its manifest, and any difference of clocks. */
const recentMs = 60 * 60 * 1000;

function corrected(noted: LedgerImage, found: LedgerImage, isOnItsWay: boolean): LedgerImage {
  const content = isOnItsWay ? joined(noted.content, found.content) : found.content;
  const stamp = Math.max(noted.stamp, found.stamp);
  return { ...found, stamp, content, ...(noted.tag !== undefined && { tag: noted.tag }) };
}

/** A store that is full, or whose records are somebody else's, can still be looked at. */
async function rewriteLedger(
  context: ManagerContext,
  keys: readonly string[],
  images: ReadonlyMap<string, LedgerImage>,
): Promise<void> {
  const { store, ledger } = context;
  await orStoreFault(context, "write", () => ledger.replace(store, keys, images));
}

/**
 * A manager without `maxBytes` never looks at the stock, and would leave all of its notes to somebody who does. It adds them up now and then;
 * nobody waits for it.
 */
export function addUpSometime(context: ManagerContext): void {
  const { ledger, serially } = context;
  if (!ledger.isDue) return;
  void inBackground(
    context,
    orStoreFault(context, "list", () => serially(() => addUp(context))),
  );
}

async function addUp(context: ManagerContext): Promise<void> {
  const { store, ledger, onUnreadable } = context;
  if (!ledger.isDue || !store.completeListing) return; // a call before it has done so
  const sum = await ledger.read(store, onUnreadable);
  if (sum.isComplete) await ledger.replace(store, sum.keys, sum.images);
  else await takeStock(context);
}

/** Notes an image that is about to be committed: a chunk that a manifest names is to be known as needed, so the note is first. */
export async function noteImage(context: ManagerContext, id: string, manifest: Manifest): Promise<void> {
  const { store, ledger, now } = context;
  if (!store.hasLedger) return;
  const image = { ...ledgerImageOf(manifest, contentOf(manifest)), stamp: now() };
  await ledger.note(store, new Map([[id, image]]));
}

/** Notes what is there no more. */
export async function noteGone({ store, ledger }: ManagerContext, ids: readonly string[]): Promise<void> {
  if (!store.hasLedger || ids.length === 0) return;
  await ledger.note(store, new Map(), ids);
}

/** What images are, where the ledger says otherwise; nothing if they are gone. */
export type Corrections = Map<string, { readonly manifest: Manifest; readonly usedAt: number } | undefined>;

/** Notes it. */
export async function noteCorrections(context: ManagerContext, corrections: Corrections): Promise<void> {
  const { store, ledger, now } = context;
  if (!store.hasLedger || corrections.size === 0) return;
  const images = new Map<string, LedgerImage>();
  for (const [id, found] of corrections) {
    if (!found) continue;
    const { manifest, usedAt } = found;
    images.set(id, { ...ledgerImageOf(manifest, contentOf(manifest), usedAt), stamp: now() });
  }
  await ledger.note(store, images, corrections.keys());
}
