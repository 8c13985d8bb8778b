// One loopback balena API for all tests of a file, without faults and with counters at zero before each.
import { afterAll, beforeEach } from "vitest";
import { type BalenaApi, type BalenaApiOptions, startBalenaApi } from "./balena-api/index.ts";

/**
 * Starts it, and closes it when the file is done. Its releases have no assets unless a test asks for them, for most tests are about one
 * file and how it comes; those about parts say `assets: true`.
 */
export async function sharedApi(options: BalenaApiOptions = {}): Promise<BalenaApi> {
  const api = await startBalenaApi({ imageBytes: 4 * 1024 * 1024, assets: false, ...options });
  beforeEach(() => {
    api.faults.reset();
    api.counters.reset();
  });
  afterAll(() => api.close());
  return api;
}

/** The device type and an exact version that tests use unless they need another. */
export const slug = "raspberrypi4-64";
export const version = "6.1.0";
