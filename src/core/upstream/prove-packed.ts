/** Proves a part that is delivered as it is sent: it is inflated on the side, and what comes out is compared and thrown away. */

type Bytes = Uint8Array<ArrayBufferLike>;

/** Passes the pieces on. `inflate` makes what they inflate to, and throws if that is not right: then this throws, at the latest at the end. */
export async function* provePacked(
  wire: AsyncIterable<Bytes>,
  inflate: (wire: AsyncIterable<Bytes>) => AsyncIterable<Bytes>,
): AsyncGenerator<Bytes> {
  const side = createHandOver();
  const proving = (async () => {
    for await (const _ of inflate(side.pieces()));
  })();
  proving.catch(() => undefined); // it is looked at below
  try {
    for await (const piece of wire) {
      await Promise.race([side.give(piece), proving]);
      yield piece;
    }
    side.end();
    await proving;
  } finally {
    side.end();
  }
}

/** Pieces from one hand to another, one at a time. */
function createHandOver() {
  let piece: Bytes | undefined;
  let isOver = false;
  let notify = () => {};
  const changed = () => new Promise<void>((resolve) => (notify = resolve));
  const tell = () => notify();
  return {
    /** Settles when the piece has been taken. */
    async give(next: Bytes): Promise<void> {
      piece = next;
      tell();
      while (piece !== undefined && !isOver) await changed();
    },
    end(): void {
      isOver = true;
      tell();
    },
    async *pieces(): AsyncGenerator<Bytes> {
      for (;;) {
        while (piece === undefined && !isOver) await changed();
        if (piece === undefined) return;
        const taken = piece;
        piece = undefined;
        tell();
        yield taken;
      }
    },
  };
}
