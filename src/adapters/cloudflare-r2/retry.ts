/** Tries again after R2's temporary refusals. R2 accepts one write per second for each key, and refuses faster ones. */
import { random } from "../../core/clock.ts";
import { sleep } from "../../core/waiting.ts";

// TooManyRequests, ServiceUnavailable, InternalError, as the binding puts them at the end of its messages.
// https://developers.cloudflare.com/r2/api/error-codes/
const passing = /\((?:10058|10043|10001)\)$/;

const attempts = 5;
const firstDelayMs = 1_000;

/** Runs a call. Tries again after about 1, 2, 4 and 8 seconds if R2 says that it may go better later. */
export async function outwait<T>(call: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await call();
    } catch (error) {
      if (attempt === attempts || !isPassing(error)) throw error;
    }
    await sleep(jittered(firstDelayMs * 2 ** (attempt - 1)));
  }
}

function isPassing(error: unknown): boolean {
  return error instanceof Error && passing.test(error.message);
}

/** Never less than the whole second that R2 wants between two writes; spread, so that racing writers part. */
function jittered(delayMs: number): number {
  return delayMs * (1 + random() / 2);
}
