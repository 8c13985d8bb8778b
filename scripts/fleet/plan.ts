// What the fleet demo asks for: images of one release, each with a Wi-Fi key, a provisioning key and a file of its own.
import { bootFiles } from "../../src/adapters/boot-files/index.ts";
import type { GetOptions, ImageEdit } from "../../src/core/index.ts";

/** The release. */
export const release = { deviceType: "raspberrypi4-64", version: "6.1.0" };

/** Every planted secret begins so. */
export const marker = "pl4nted-";

/** One image of the fleet, and what has to be in it. */
export interface FleetImage {
  readonly options: GetOptions;
  readonly wifiKey: string;
  readonly deviceKey: string;
}

/** The image number `index`. */
export function fleetImage(index: number, counted: (edit: ImageEdit) => ImageEdit): FleetImage {
  const [wifiKey, deviceKey] = [`${marker}wifi-${index}`, `${marker}device-${index}`];
  const edit = counted(bootFiles({ "device-key.pem": deviceKey.repeat(100) }));
  const wifi = { network: "wifi", wifiSsid: `station ${index}`, wifiKey } as const;
  return { options: { appId: 12, ...wifi, edit }, wifiKey, deviceKey };
}
