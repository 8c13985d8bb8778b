/**
 * The edit that balena's image maker makes of a device's configuration: `config.json`, and a keyfile for each network. The image maker
 * replaces the `config.json` of the image; here the configuration is merged into it, so that the image's own keys stay.
 */
import { InvalidArgumentError } from "../../core/errors.ts";
import type { ImageEdit } from "../../core/types.ts";
import { findBootPartition } from "./boot-partition.ts";
import { editedSpans, type FileCopy } from "./edit.ts";
import { type BootFile, checkedFiles, checkedPath } from "./options.ts";
import { wifiConnection } from "./wifi.ts";

/** Values of a configuration, by name, as balena's `/download-config` gives them. */
export type DeviceConfig = Readonly<Record<string, unknown>>;

/** Where the configuration goes in an image. */
export interface DeviceEditOptions {
  /** The partition that holds `config.json` in today's images of the device type. */
  readonly partition?: number | undefined;
  /** Paths that are copied within that partition. */
  readonly copies: readonly { readonly from: string; readonly to: string }[];
}

/** @throws {InvalidArgumentError} `INVALID_ARGUMENT` for a network that can't be. */
export function deviceEdit(config: DeviceConfig, { partition, copies }: DeviceEditOptions): ImageEdit {
  const files = checkedFiles(filesOf(config));
  const checked: FileCopy[] = copies.map(({ from, to }) => ({
    from: checkedPath(from),
    to: checkedPath(to),
  }));
  return (image) => editedSpans(image, (patched) => findBootPartition(patched, partition), files, checked);
}

/** As in etcher-sdk: network settings go into a file of their own. */
function filesOf(config: DeviceConfig): Record<string, BootFile> {
  const { wifiSsid, wifiKey, ip, netmask, gateway, network: _, ...json } = config;
  const isEmpty = Object.keys(json).length === 0;
  return {
    ...(!isEmpty && { "config.json": json }),
    ...wifiFile({ wifiSsid, wifiKey, ip, netmask, gateway }),
  };
}

function wifiFile({ wifiSsid, wifiKey, ...address }: DeviceConfig): Record<string, string> {
  if (wifiSsid !== undefined) {
    const { ip, netmask, gateway } = address as Record<string, string | undefined>;
    const network = { ssid: wifiSsid as string, key: wifiKey as string | undefined, hidden: true };
    return { "system-connections/balena-wifi-01": wifiConnection({ ...network, ip, netmask, gateway }) };
  }
  if ([wifiKey, ...Object.values(address)].some((value) => value !== undefined))
    throw new InvalidArgumentError('"wifiKey", "ip", "netmask" and "gateway" need "wifiSsid"');
  return {};
}
