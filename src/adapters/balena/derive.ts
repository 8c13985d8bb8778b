/** Says how a configured image follows from the plain one: by files in its boot partition, as balena's image maker writes them. */
import { isImageManagerError } from "../../core/errors.ts";
import type { DerivedImage, ImageVariant, ResolvedImage } from "../../core/types.ts";
import type { ApiClient } from "../balena-api/client.ts";
import { type BootConfig, bootConfigIn, isWanted, unknownBootConfig } from "./boot-config.ts";
import { fleetConfig } from "./fleet-config.ts";
import { assertFleet, settingsOf } from "./image-settings.ts";

/** How long a device type is remembered, as the balena SDK remembers its answers. */
const rememberedMs = 10 * 60 * 1000;
const maxRemembered = 100;

/** A source's `derive`. It remembers device types. */
export function deriver(client: ApiClient): (image: ResolvedImage) => Promise<DerivedImage | undefined> {
  const bootConfigOf = rememberedBootConfigs(client);
  return async (image) => {
    const { plain, configured } = settingsOf(image.variant);
    if (Object.keys(configured).length === 0 || !isRawDisk(image)) return undefined;
    const bootConfig = await bootConfigOf(image);
    if (!bootConfig) return undefined;
    return { variant: plain, ...(await editOf(client, image, configured, bootConfig)) };
  };
}

/** In an archive, files can't be replaced in place. The first version of the OS keeps its network elsewhere. */
function isRawDisk({ version, variant: { fileType } }: ResolvedImage): boolean {
  const major = Number.parseInt(version.replace(/^v/i, ""), 10);
  return (fileType === undefined || fileType === ".img") && major >= 2;
}

async function editOf(
  client: ApiClient,
  image: ResolvedImage,
  configured: ImageVariant,
  { partition, operations }: BootConfig,
): Promise<Omit<DerivedImage, "variant">> {
  // Loaded when it is needed: most programs never configure an image.
  const { deviceEdit } = await import("../boot-files/device-edit.ts");
  const { wifiSsid, wifiKey, ip, netmask, gateway } = configured;
  const network = { wifiSsid, wifiKey, ip, netmask, gateway };
  assertFleet(configured);
  deviceEdit(network, { copies: [] }); // throws for a bad one before the API makes a key
  const isFleet = configured.appId !== undefined;
  const own = isFleet ? await fleetConfig(client, image) : ownConfig(configured);
  const config = { ...own, ...network };
  const copies = operations.filter((operation) => isWanted(operation, config));
  return { edit: deviceEdit(config, { partition, copies }), isNewEachTime: isFleet };
}

/** The `config.json` of an image that has no fleet, as far as it differs from the image's own. */
function ownConfig({ developmentMode, appUpdatePollInterval }: ImageVariant): Record<string, unknown> {
  return {
    ...(developmentMode && { developmentMode }),
    ...(appUpdatePollInterval && { appUpdatePollInterval: appUpdatePollInterval * 60_000 }),
  };
}

/** A device type that can't be asked for is no obstacle: the boot partition is then found by what it holds. */
function rememberedBootConfigs(client: ApiClient) {
  const remembered = new Map<string, { readonly atMs: number; readonly found: BootConfig | undefined }>();
  return async ({ deviceType, signal }: ResolvedImage): Promise<BootConfig | undefined> => {
    const known = remembered.get(deviceType);
    if (known && Date.now() - known.atMs < rememberedMs) return known.found;
    const question = {
      action: `read how ${deviceType} is configured`,
      path: `/device-types/v1/${deviceType}`,
      signal,
    };
    try {
      const found = await client.ask(question, bootConfigIn);
      if (remembered.size >= maxRemembered) remembered.clear();
      remembered.set(deviceType, { atMs: Date.now(), found });
      return found;
    } catch (failure) {
      if (isImageManagerError(failure) && failure.code === "UPSTREAM") return unknownBootConfig;
      throw failure;
    }
  };
}
