// What a part of the benchmark gives: tables to read, figures that are held against a goal, bars for the chart.

/** One part. */
export interface Part {
  readonly title: string;
  readonly table: readonly Readonly<Record<string, string | number>>[];
  /** Rows of the design's list of numbers that this part answers. */
  readonly goals: readonly Goal[];
  /** For README's chart. */
  readonly bars?: readonly Bar[];
  /** For the chart of growth. */
  readonly curves?: Curves;
}

/** A figure and what it is to be. */
export interface Goal {
  readonly what: string;
  readonly goal: string;
  readonly found: string;
  readonly isReached: boolean;
}

/** A group of bars: shorter is better. */
export interface Bar {
  readonly group: string;
  readonly name: string;
  readonly ms: number;
}

/** What a unit costs as there are more of them; drawn as multiples of the first point, so that flat is good. */
export interface Curves {
  readonly title: string;
  readonly lines: readonly { readonly name: string; readonly points: readonly Point[] }[];
}

export interface Point {
  readonly x: number;
  readonly y: number;
}

/** Two decimals, without trailing zeros. */
export const rounded = (value: number, digits = 2): number => Number(value.toFixed(digits));

/** At least so much. */
export function atLeast(what: string, goal: number, found: number, unit = "x"): Goal {
  return { what, goal: `>= ${goal}${unit}`, found: `${rounded(found)}${unit}`, isReached: found >= goal };
}

/** At most so much. */
export function atMost(what: string, goal: number, found: number, unit = ""): Goal {
  return { what, goal: `<= ${goal}${unit}`, found: `${rounded(found, 3)}${unit}`, isReached: found <= goal };
}

/** The middle value. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
