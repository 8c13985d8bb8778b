/** The facts that a manager gives the HTTP handler. */
import type { ManagerContext } from "../context.ts";
import { isMadeEachTime, normalizeVariant, plainVariant } from "../identity.ts";
import { findCached } from "../lookup/find-cached.ts";
import { recall } from "../lookup/known-versions.ts";
import { checkedRequest } from "../lookup/request.ts";
import { resolveImage } from "../lookup/resolve-image.ts";
import { scopeOf } from "../lookup/scope-of.ts";
import type { ManagerInternals } from "../manager-internals.ts";
import { readPackedChunk } from "../store/chunk-store.ts";
import { openStored } from "./stored-image.ts";

/** The internals of the manager with this context. */
export function createInternals(context: ManagerContext): ManagerInternals {
  const { maxBytes, closing, source } = context;
  return {
    maxBytes,
    closing,
    owner: async (signal) => ({ source: source.id, scope: (await scopeOf(context, signal)) ?? null }),
    identify: async (deviceType, wanted, options) => {
      const request = await checkedRequest(context, deviceType, wanted, options);
      const variant = normalizeVariant(options);
      const mayFollow = source.canDerive && isMadeEachTime(variant);
      const sought = mayFollow ? plainVariant(variant) : variant;
      return (await resolveImage(context, request, sought, "default")).identity;
    },
    readPackedChunk: (digest, length, signal) => readPackedChunk(context, digest, length, signal),
    async slugOf(deviceType, signal) {
      const request = await checkedRequest(context, deviceType, "latest", { signal });
      const known = await recall(context, request);
      return known?.deviceType ?? source.resolveDeviceType(deviceType, request.signal);
    },
    chunksOf: async (deviceType, version, variant) =>
      (await findCached(context, deviceType, version, variant))?.manifest,
    storedImage: async (deviceType, version, variant) => {
      const found = await findCached(context, deviceType, version, variant);
      return found && openStored(context, found);
    },
  };
}
