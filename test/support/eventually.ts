// Waiting for a condition, not for a time.
import { vi } from "vitest";

/**
 * Waits until a check passes, and returns what it returns. The limit is only there for a test that would hang: on a busy machine, what is
 * due at once may take a minute.
 */
export const eventually: typeof vi.waitFor = (check) => vi.waitFor(check, { timeout: 120_000, interval: 10 });
