/** Makes the edit of a configured image: files in the boot partition of the plain one, as balena's image maker writes them. */
import { wallMs } from "../../core/clock.ts";
import { isImageManagerError } from "../../core/errors.ts";
import type { DerivedImage, ImageVariant, ResolvedImage } from "../../core/types.ts";
import type { ApiClient } from "../balena-api/client.ts";
import { deviceEdit } from "../boot-files/device-edit.ts";
import { type BootConfig, bootConfigIn, isWanted, unknownBootConfig } from "./boot-config.ts";
import { fleetConfig } from "./fleet-config.ts";
import { assertFleet, settingsOf } from "./image-settings.ts";

/** How long a device type is remembered, as the balena SDK remembers its answers. */
const rememberedMs = 10 * 60 * 1000;
const maxRemembered = 100;

/** What a source remembers of device types, by slug. */
export type RememberedDeviceTypes = Map<
  string,
  { readonly atMs: number; readonly bootConfig: BootConfig | undefined }
>;

/** `undefined` if only balena's image maker can configure the image. */
export async function derivedImage(
  client: ApiClient,
  image: ResolvedImage,
  remembered: RememberedDeviceTypes,
): Promise<DerivedImage | undefined> {
  const { plain, configured } = settingsOf(image.variant);
  const bootConfig = await bootConfigOf(client, image, remembered);
  return bootConfig && { variant: plain, ...(await editOf(client, image, configured, bootConfig)) };
}

/** A device type that can't be asked for is no obstacle: the boot partition is then found by what it holds. */
async function bootConfigOf(
  client: ApiClient,
  { deviceType, signal, isOffline }: ResolvedImage,
  remembered: RememberedDeviceTypes,
): Promise<BootConfig | undefined> {
  const known = remembered.get(deviceType);
  if (known && (isOffline || wallMs() - known.atMs < rememberedMs)) return known.bootConfig;
  if (isOffline) return unknownBootConfig;
  const action = `read how ${deviceType} is configured`;
  try {
    const path = `/device-types/v1/${deviceType}`;
    const bootConfig = await client.ask({ action, path, signal }, bootConfigIn);
    if (remembered.size >= maxRemembered) remembered.clear();
    remembered.set(deviceType, { atMs: wallMs(), bootConfig });
    return bootConfig;
  } catch (failure) {
    if (isImageManagerError(failure) && failure.code === "UPSTREAM") return unknownBootConfig;
    throw failure;
  }
}

async function editOf(
  client: ApiClient,
  image: ResolvedImage,
  configured: ImageVariant,
  { partition, operations }: BootConfig,
): Promise<Omit<DerivedImage, "variant">> {
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
