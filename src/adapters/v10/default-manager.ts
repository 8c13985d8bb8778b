/** The manager of the process: made at the first call, from the balena SDK's shared options and balena's settings. */
import { join } from "node:path";
import type { BalenaSDK, SdkOptions } from "balena-sdk";
import { InvalidArgumentError } from "../../core/errors.ts";
import { createImageManager } from "../../core/manager.ts";
import type { ImageManager } from "../../core/types.ts";
import { balenaSdkSource } from "../balena-sdk/index.ts";
import { fsAdapter } from "../fs/index.ts";
import { nodeHash } from "../node/hash.ts";
import { nodeInflate } from "../node/inflate.ts";
import { missingPeer } from "../peer.ts";

// Version 10 kept its files in `cacheDirectory` itself: in a directory of our own, neither takes the other's for its own.
const directoryName = "balena-image-manager";

let opening: Promise<ImageManager> | undefined;

/** The same one each time. It is never closed: idle, it holds nothing that keeps a process alive. */
export function defaultManager(): Promise<ImageManager> {
  opening ??= open(); // a failure stays: settings are read once in a process
  return opening;
}

async function open(): Promise<ImageManager> {
  const { sdk, cacheDirectory } = await configured();
  return createImageManager({
    // As in version 10, balena's image maker configures images.
    source: balenaSdkSource({ sdk, configure: "upstream" }),
    storage: fsAdapter({ base: join(cacheDirectory, directoryName) }),
    inflate: nodeInflate,
    hash: nodeHash,
  });
}

/** The SDK reads balena's settings for us, with the very client that the balena CLI uses. */
async function configured(): Promise<{ sdk: BalenaSDK; cacheDirectory: string }> {
  // Imported late: it takes a quarter of a second, and the application sets the shared options first.
  const balena = await import("balena-sdk").catch(missingPeer("balena-image-manager/v10", "balena-sdk"));
  try {
    const shared = balena.fromSharedOptions();
    const [apiUrl, cacheDirectory] = await Promise.all([
      shared.settings.get("apiUrl"),
      shared.settings.get("cacheDirectory"),
    ]);
    const options = sharedOptions();
    const sdk = options?.apiUrl === undefined ? balena.getSdk({ ...options, apiUrl }) : shared;
    return { sdk, cacheDirectory };
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : "balena's settings can't be read";
    throw new InvalidArgumentError(message, { cause });
  }
}

/** Where `setSharedOptions` leaves them for every copy of the SDK in the process; no function gives them back. */
function sharedOptions(): SdkOptions | undefined {
  return (globalThis as { BALENA_SDK_SHARED_OPTIONS?: SdkOptions })["BALENA_SDK_SHARED_OPTIONS"];
}
