// Small chunks: what goes wrong depends on how many there are, and hardly on their size. Copying and hashing large ones took most of a run.
import { bounds } from "../../src/core/bounds.ts";
import { chunkBytes } from "./content.ts";

/** Lets chunks be as small as the simulation's, until the returned function is called. */
export function shrinkBounds(): () => void {
  const before = { ...bounds };
  // A value of unknown size is given the time of the largest one that there may be.
  const smaller = { chunkEncodingBytes: 256, wirePieceBytes: 16 * chunkBytes, ledgerBytes: 16 * chunkBytes };
  Object.assign(bounds, smaller, { leastChunkBytes: chunkBytes, pacedValueBytes: chunkBytes });
  return () => void Object.assign(bounds, before);
}
