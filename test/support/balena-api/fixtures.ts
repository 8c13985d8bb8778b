// What the loopback balena API knows by default: device types and releases.

/** A device type that the API knows. */
export interface DeviceTypeFixture {
  readonly slug: string;
  readonly name: string;
  /** Other names; the slug always counts as its own alias, as upstream has it. Case counts. */
  readonly aliases?: readonly string[];
  /** An archive of several images in place of one, as of an Intel Edison: it has no release assets. */
  readonly archive?: boolean;
  /** Seen only by requests that carry the token. */
  readonly private?: boolean;
  /** The type is public, its host application is not: guests see no release of it. */
  readonly privateReleases?: boolean;
  /** What the default image is; nobody may ask for that by name. Default `raw`. */
  readonly defaultImageType?: "raw" | "flasher";
  /** The image types that have a file of their own beside the default one. Default: none. */
  readonly imageTypes?: readonly ("raw" | "flasher")[];
}

/** A release of a device type's OS. */
export interface ReleaseFixture {
  /** Slug. */
  readonly deviceType: string;
  /** As a caller names it, for example `2.60.1+rev1.prod`; `null`: a row that has none. */
  readonly version: string | null;
  /** Default `default`. */
  readonly line?: "default" | "esr";
  readonly draft?: boolean;
  readonly invalidated?: boolean;
  /** Default `success`. */
  readonly status?: string;
  readonly phase?: string;
  readonly knownIssues?: string;
  /** Whether it has release assets; old ones have none. Default `true`. */
  readonly assets?: boolean;
  /** ISO 8601. Default: a date that rises with the place in the list. */
  readonly createdAt?: string;
}

/** Slugs of the default fixture, by what each is there for. */
export const fixtureSlugs = {
  main: "raspberrypi4-64",
  mainAlias: "raspberry-pi4",
  second: "intel-nuc",
  private: "acme-gateway",
  privateReleases: "acme-edge",
  esrOnly: "generic-aarch64-esr",
  prereleasesOnly: "jetson-preview",
  empty: "no-release-yet",
} as const;

/** The id of a fleet that the account must not see. It may see any other. */
export const foreignFleet = 404_404;

/** The default device types. */
export const defaultDeviceTypes: readonly DeviceTypeFixture[] = [
  { slug: fixtureSlugs.main, name: "Raspberry Pi 4 (using 64bit OS)", aliases: [fixtureSlugs.mainAlias] },
  {
    slug: fixtureSlugs.second,
    name: "Intel NUC",
    aliases: ["nuc", "ZE250", "odroid-u3+"],
    defaultImageType: "flasher",
    imageTypes: ["raw"],
  },
  { slug: fixtureSlugs.private, name: "Acme Gateway", aliases: ["acme-gw"], private: true },
  { slug: fixtureSlugs.privateReleases, name: "Acme Edge", privateReleases: true },
  { slug: fixtureSlugs.esrOnly, name: "Generic AARCH64 (ESR)" },
  { slug: fixtureSlugs.prereleasesOnly, name: "Jetson Preview" },
  { slug: fixtureSlugs.empty, name: "No Release Yet" },
];

/** The default releases, newest first within each line. */
export const defaultReleases: readonly ReleaseFixture[] = [
  { deviceType: fixtureSlugs.main, version: "6.3.0-1771234567890", draft: true },
  { deviceType: fixtureSlugs.main, version: "6.2.0-beta.1" },
  { deviceType: fixtureSlugs.main, version: "6.1.0", phase: "current" },
  { deviceType: fixtureSlugs.main, version: "6.0.10+rev1", knownIssues: "Wi-Fi may drop on resume" },
  { deviceType: fixtureSlugs.main, version: "6.0.10" },
  { deviceType: fixtureSlugs.main, version: "6.0.9", invalidated: true },
  { deviceType: fixtureSlugs.main, version: "6.0.8", status: "failed" },
  { deviceType: fixtureSlugs.main, version: "2.88.4+rev1", assets: false },
  { deviceType: fixtureSlugs.main, version: "2.60.1+rev2.prod", assets: false },
  { deviceType: fixtureSlugs.main, version: "2.60.1+rev1.prod", assets: false },
  { deviceType: fixtureSlugs.main, version: "2.60.1+rev1.dev", assets: false },
  { deviceType: fixtureSlugs.main, version: "2023.10.1", line: "esr", phase: "current" },
  { deviceType: fixtureSlugs.main, version: "2023.1.0", line: "esr", phase: "sunset" },
  { deviceType: fixtureSlugs.main, version: "2021.10.2.prod", line: "esr", assets: false },
  { deviceType: fixtureSlugs.second, version: "6.4.0+rev1" },
  { deviceType: fixtureSlugs.second, version: "6.3.2" },
  { deviceType: fixtureSlugs.private, version: "6.1.1" },
  { deviceType: fixtureSlugs.private, version: "2023.10.1", line: "esr" },
  { deviceType: fixtureSlugs.privateReleases, version: "6.5.0" },
  { deviceType: fixtureSlugs.esrOnly, version: "2023.10.1", line: "esr" },
  { deviceType: fixtureSlugs.esrOnly, version: "2023.1.0", line: "esr" },
  { deviceType: fixtureSlugs.prereleasesOnly, version: "7.0.0-2" },
  { deviceType: fixtureSlugs.prereleasesOnly, version: "7.0.0-1.a" },
];
