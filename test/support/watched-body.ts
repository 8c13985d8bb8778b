// A body of a response that a test can watch.
import { setImmediate as turn } from "node:timers/promises";

/** A body of so many pieces; it can be watched. */
export function bodyOf(pieces: number, pieceBytes: number, failure?: unknown) {
  const seen = { pulls: 0, cancelled: undefined as unknown };
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        await turn();
        if (seen.pulls++ < pieces) controller.enqueue(new Uint8Array(pieceBytes).fill(seen.pulls));
        else if (failure === undefined) controller.close();
        else controller.error(failure);
      },
      cancel: (reason) => void Object.assign(seen, { cancelled: reason ?? "no reason" }),
    },
    { highWaterMark: 0 },
  );
  return { body, seen };
}
