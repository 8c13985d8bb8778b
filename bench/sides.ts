// Opens sides of the comparison, each in a process of its own, and closes them whatever happens.
import { type Callee, startCallee } from "./calls.ts";
import { compiled } from "./compiled.ts";
import type { Cost } from "./measure.ts";
import type { FirstGet, RepeatedGet } from "./side.ts";
import type { ConfiguredKind, SubjectSetting } from "./subjects/subject.ts";

/** A side under way. */
export interface Side extends AsyncDisposable {
  readonly name: string;
  readonly base: string;
  first(get: FirstGet): Promise<Cost>;
  repeated(get: RepeatedGet): Promise<Cost>;
  ranges(places: readonly { start: number; bytes: number }[]): Promise<Cost>;
  configured(kind: ConfiguredKind): Promise<Cost>;
  clear(): Promise<void>;
}

/** Where a side works. Without `base` it makes a directory of its own, which it deletes when it ends. */
export type SideSetting = Omit<SubjectSetting, "base"> & { readonly base?: string };

/** Opens one. */
export async function openSide(name: string, setting: SideSetting): Promise<Side> {
  const callee = startCallee(await compiled("./side.ts"));
  const close = () => callee[Symbol.asyncDispose]();
  try {
    const base = await callee.call<string>("open", { name, setting });
    return { name, base, ...tasksOf(callee), [Symbol.asyncDispose]: close };
  } catch (failure) {
    await close();
    throw failure;
  }
}

function tasksOf(callee: Callee) {
  return {
    first: (get: FirstGet) => callee.call<Cost>("first", get),
    repeated: (get: RepeatedGet) => callee.call<Cost>("repeated", get),
    ranges: (places: readonly { start: number; bytes: number }[]) => callee.call<Cost>("ranges", places),
    configured: (kind: ConfiguredKind) => callee.call<Cost>("configured", kind),
    clear: () => callee.call<void>("clear"),
  };
}
