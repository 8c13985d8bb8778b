// The device-type.json of a device type: where its config.json lies and which image types it has.
import { bootConfiguration } from "./boot-partition.ts";
import { aliasesOf } from "./catalog.ts";
import type { DeviceTypeFixture } from "./fixtures.ts";

/** The contents of device-type.json, as far as anybody reads them. */
export function deviceTypeJsonOf(type: DeviceTypeFixture): Record<string, unknown> {
  const { slug, name, imageTypes = [], defaultImageType = "raw" } = type;
  const artifact = (kind: string) =>
    `balena-image${kind === "flasher" ? "-flasher" : ""}-${slug}.balenaos-img`;
  return {
    slug,
    name,
    aliases: aliasesOf(type),
    version: 1,
    state: "RELEASED",
    yocto: {
      machine: slug,
      image: "balena-image",
      fstype: "balenaos-img",
      deployArtifact: artifact(defaultImageType),
      ...(imageTypes.includes("raw") && { deployRawArtifact: artifact("raw") }),
      ...(imageTypes.includes("flasher") && { deployFlasherArtifact: artifact("flasher") }),
      compressed: true,
      ...(type.archive && { archive: true }),
    },
    configuration: bootConfiguration,
  };
}
