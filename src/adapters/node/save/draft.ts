/** The temporary file of a save: a new one, or one that an interrupted save has left. */
import { type FileHandle, open, readdir, rename, unlink } from "node:fs/promises";
import { join } from "node:path";
import { outwaitWindows } from "../../fs/retry.ts";
import { onDisk } from "./disk.ts";
import { isOwnFile, openOwnFile } from "./own-file.ts";
import { isAbandoned, nobody } from "./owner.ts";
import { type LeftProgress, readProgress } from "./progress-record.ts";
import type { Target } from "./target.ts";
import { contentOf, parseTemporaryName, type TemporaryName, temporaryPath } from "./temporary-name.ts";

/** An open file under its temporary name. */
export interface Draft {
  readonly target: Target;
  readonly path: string;
  readonly file: FileHandle;
}

/** A draft that holds the beginning of an image. */
export interface LeftDraft extends Draft, LeftProgress {}

/** What identifies an image before its bytes have come. */
export interface KnownImage {
  readonly etag: string;
  readonly size: number;
}

/** Makes an empty one. @throws {StoreError} `STORE`. */
export async function newDraft(target: Target, etag: string | undefined): Promise<Draft> {
  const path = await temporaryPath(target, contentOf(etag));
  return { target, path, file: await onDisk(target.path, () => open(path, "wx+", target.mode)) };
}

/** Takes up what a save of this image left, if anything, and deletes what other ones of this user left. */
export async function takeUpDraft(
  target: Target,
  image: KnownImage | undefined,
): Promise<LeftDraft | undefined> {
  let draft: LeftDraft | undefined;
  for (const left of await abandoned(target)) {
    const path = join(target.directory, left.name);
    if (image && !draft && left.content === contentOf(image.etag)) draft = await claim(target, path, image);
    else await unlink(path).catch(() => {}); // the next save may have more luck
  }
  return draft;
}

/** Cuts it to the image's size and gives it the target's name. */
export async function placeDraft({ target, path, file }: Draft, size: number, fsync: boolean): Promise<void> {
  await onDisk(target.path, async () => {
    await file.truncate(size);
    if (fsync) await file.sync();
    await file.close(); // Windows renames no open file
    await outwaitWindows(() => rename(path, target.path));
    if (fsync && process.platform !== "win32") await syncDirectory(target.directory); // Windows opens none
  });
}

/** Closes it and leaves it for the next save of this image. */
export async function leaveDraft({ target, path, file }: Draft, etag: string): Promise<void> {
  await file.close().catch(() => {}); // then the proof will say
  await rename(path, await temporaryPath(target, contentOf(etag), nobody)).catch(() => {});
}

/** Closes and deletes it, as far as it is still there. */
export async function discardDraft({ path, file }: Draft): Promise<void> {
  await file.close().catch(() => {}); // a second time, or of a disk that fails: there is nothing in it to lose
  await unlink(path).catch(() => {});
}

async function abandoned(target: Target): Promise<TemporaryName[]> {
  const names = await readdir(target.directory).catch(() => []);
  const found: TemporaryName[] = [];
  for (const name of names) {
    const temporary = parseTemporaryName(target, name);
    const path = join(target.directory, name);
    if (temporary && (await isOwnFile(path)) && (await isAbandoned(path, temporary.owner)))
      found.push(temporary);
  }
  return found;
}

/** If several saves want a file, the rename gives it to one of them. The others start over. */
async function claim(target: Target, left: string, image: KnownImage): Promise<LeftDraft | undefined> {
  const path = await temporaryPath(target, contentOf(image.etag));
  const isMine = await rename(left, path).then(
    () => true,
    () => false,
  );
  const file = isMine ? await openOwnFile(path) : undefined;
  if (!file) return undefined;
  const draft = { target, path, file };
  const progress = await readProgress(file, image.size).catch(() => undefined);
  if (progress) return { ...draft, ...progress };
  await discardDraft(draft);
  return undefined;
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
