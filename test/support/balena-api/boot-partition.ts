// What a pristine image's boot partition holds: the files that a fleet's or a user's configuration replaces or joins.
import type { DiskLayout } from "./disk-layout.ts";
import { formatFat } from "./fat.ts";

/** Number of the boot partition, as device-type.json names it. */
export const bootPartition = 1;

/** What device-type.json says of configuring an image: the same in the image, among its assets and at `/device-types/v1`. */
export const bootConfiguration = { config: { partition: { primary: bootPartition }, path: "/config.json" } };

/** The boot partition's first bytes; a file of generated content follows them. */
export function bootHead({ partitions: [boot], holes: [hole] }: DiskLayout, slug: string): Uint8Array {
  const bytes = boot!.end - boot!.start;
  const deviceType = { slug, version: 1, configuration: bootConfiguration };
  return formatFat(bytes, {
    label: "resin-boot",
    files: {
      // Keys of its own: who configures an image by hand has to merge, balena's image maker replaces.
      "config.json": JSON.stringify({ deviceType: slug, persistentLogging: true, localMode: false }),
      "device-type.json": JSON.stringify(deviceType, undefined, 2),
      "system-connections/resin-sample.ignore": "[connection]\nid=resin-sample\ntype=wifi\n",
      "splash/balena-logo.png": "",
    },
    filler: { name: "bootfiles.img", end: (hole?.start ?? boot!.end) - boot!.start },
  });
}
