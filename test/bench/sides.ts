// Opens sides of the comparison, each in a process and a directory of its own, and closes them whatever happens.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Callee, startCallee } from "./calls.ts";
import { compiled } from "./compiled.ts";
import type { Cost } from "./measure.ts";
import type { FirstGet, RepeatedGet } from "./side.ts";
import type { SubjectSetting } from "./subjects/subject.ts";

/** A side under way. */
export interface Side extends AsyncDisposable {
  readonly name: string;
  readonly base: string;
  first(get: FirstGet): Promise<Cost>;
  repeated(get: RepeatedGet): Promise<Cost>;
  ranges(places: readonly { start: number; bytes: number }[]): Promise<Cost>;
  clear(): Promise<void>;
}

/** Where a side works. Without `base` it gets a directory of its own, which is deleted with it. */
export type SideSetting = Omit<SubjectSetting, "base"> & { readonly base?: string };

/** Opens one. */
export async function openSide(name: string, setting: SideSetting): Promise<Side> {
  const base = setting.base ?? (await mkdtemp(join(tmpdir(), "bench-")));
  const callee = startCallee(await compiled("./side.ts"));
  const close = async () => {
    await callee[Symbol.asyncDispose]();
    if (setting.base === undefined) await rm(base, { recursive: true, force: true });
  };
  try {
    await callee.call("open", { name, setting: { ...setting, base } });
  } catch (failure) {
    await close();
    throw failure;
  }
  return { name, base, ...tasksOf(callee), [Symbol.asyncDispose]: close };
}

function tasksOf(callee: Callee) {
  return {
    first: (get: FirstGet) => callee.call<Cost>("first", get),
    repeated: (get: RepeatedGet) => callee.call<Cost>("repeated", get),
    ranges: (places: readonly { start: number; bytes: number }[]) => callee.call<Cost>("ranges", places),
    clear: () => callee.call<void>("clear"),
  };
}
