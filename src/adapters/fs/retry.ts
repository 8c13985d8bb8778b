/** Tries again after temporary errors of Windows. */
import { sleep } from "../../core/waiting.ts";
import { hasCode } from "./failure.ts";

/**
 * Windows refuses to open, replace or delete a file while a virus scanner or another process holds it: tries again for
 * about a second. Elsewhere these codes mean what they say, and are thrown at once.
 */
export async function outwaitWindows<T>(
  operation: () => Promise<T>,
  platform = process.platform,
): Promise<T> {
  for (let delayMs = 5; ; delayMs *= 2) {
    try {
      return await operation();
    } catch (error) {
      if (platform !== "win32" || delayMs > 500 || !hasCode(error, "EPERM", "EACCES", "EBUSY")) throw error;
    }
    await sleep(delayMs);
  }
}
