/** Counts what is on its way to clients. */

/** Takes a place, and returns a function that gives it back once. `undefined` if no place is free. */
export type TransferLimit = () => (() => void) | undefined;

/** A limit with so many places. */
export function createTransferLimit(places: number): TransferLimit {
  let taken = 0;
  return () => {
    if (taken >= places) return undefined;
    taken += 1;
    let isTaken = true;
    return () => {
      if (isTaken) taken -= 1;
      isTaken = false;
    };
  };
}
