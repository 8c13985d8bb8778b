/** What the parts of a tiered store share: the two stores, the way to the far one, and what the near one has of its own. */
import type { FarLink } from "./far-link.ts";
import type { Tier } from "./options.ts";

/** The state of a tiered store. */
export interface Tiers {
  readonly near: Tier;
  readonly far: Tier;
  readonly link: FarLink;
  readonly farReadOnly: boolean;
  readonly farTimeoutMs: number;
  /** Chunks that lie near alone, because the far store did not take them. */
  readonly unsent: Set<string>;
  readonly own: OwnValues;
  /** Work that nobody waits for but `dispose`. */
  readonly background: Background;
}

/** Whether the near store has values that the far one lacks, other than chunks. */
export interface OwnValues {
  /** `false` once it is known that there are none. */
  readonly mayExist: boolean;
  /** Whether some may have come since it was last begun to send them. */
  isNew: boolean;
  /** Such a value is written. */
  add(): void;
  /** Looks, and notes whether there are any. A value that is written meanwhile counts. */
  lookedAt<T>(look: () => Promise<{ isAny: boolean; found: T }>): Promise<T>;
}

/** An earlier process may have left some. */
export function createOwnValues(): OwnValues {
  let mayExist = true;
  let added = 0;
  return {
    isNew: true,
    get mayExist() {
      return mayExist;
    },
    add() {
      mayExist = true;
      this.isNew = true;
      added += 1;
    },
    async lookedAt(look) {
      const before = added;
      const { isAny, found } = await look();
      if (added === before) mayExist = isAny;
      return found;
    },
  };
}

/** Work whose failure means nothing: a copy that is not made is made later. */
export interface Background {
  run(work: Promise<unknown>): void;
  settled(): Promise<void>;
}

export function createBackground(): Background {
  const underWay = new Set<Promise<unknown>>();
  return {
    run(work) {
      const ended = () => void underWay.delete(quiet);
      const quiet: Promise<unknown> = work.then(ended, ended);
      underWay.add(quiet);
    },
    async settled() {
      while (underWay.size > 0) await Promise.all(underWay);
    },
  };
}

/** Bytes in a millisecond of the thinnest line for which a transfer of a large value is not late. */
const leastRate = 128;

/** How long the far store may take for a value of that size, if nothing tells its progress. */
export function limitFor({ farTimeoutMs }: Pick<Tiers, "farTimeoutMs">, bytes: number): number {
  return farTimeoutMs + bytes / leastRate;
}
