/** What an image is called, and what the cache knows about it. */

/**
 * Which image of a device type and version is wanted. Every option that changes the bytes is part of the image's identity: two variants
 * are two images in the cache.
 */
export interface ImageVariant {
  /** Get the development image, which allows local SSH access. Default `false`. */
  developmentMode?: boolean | undefined;
  /** `raw` or `flasher`, if the device type has both. Default: the upstream chooses for the device type. */
  imageType?: "raw" | "flasher" | undefined;
  /** Get the file as the upstream packs it. Default: the raw image, which is downloaded compressed and inflated on the way. */
  fileType?: ".img" | ".zip" | ".gz" | undefined;
  /**
   * The owner of the image, 1 to 256 characters. Anyone who passes the same `scope` sees the same images. Images of different scopes are
   * kept apart. Default: the `scope` of the source.
   */
  scope?: string | undefined;
  /**
   * Id of the fleet that the image is configured for. A configured image contains credentials, so it is never stored or shared.
   * Default: the image is not configured.
   */
  appId?: number | undefined;
  /** Network that a configured image connects to. Default `ethernet`. */
  network?: "ethernet" | "wifi" | undefined;
  /** Name of the Wi-Fi network, 1 to 256 characters. Default: none. */
  wifiSsid?: string | undefined;
  /** Key of the Wi-Fi network, 1 to 256 characters. An image with a key is never stored or shared. Default: none. */
  wifiKey?: string | undefined;
  /** Minutes between two update checks of the device: a whole number from 1. Default: the upstream chooses. */
  appUpdatePollInterval?: number | undefined;
  /** Fixed IPv4 address for the Wi-Fi network. It needs `wifiSsid`, `netmask` and `gateway`. Default: DHCP. */
  ip?: string | undefined;
  /** IPv4 address of the gateway that belongs to `ip`. Default: none. */
  gateway?: string | undefined;
  /** Netmask that belongs to `ip`: the length of the prefix, such as `24`, or an IPv4 mask. Default: none. */
  netmask?: string | undefined;
  /** Name of the fleet's new provisioning key, 1 to 256 characters. It needs `appId`. Default: the upstream chooses. */
  provisioningKeyName?: string | undefined;
  /** Description of the new provisioning key, 1 to 1,000 characters. It needs `appId`. Default: the upstream chooses. */
  provisioningKeyDescription?: string | undefined;
  /** When the new provisioning key expires, as ISO 8601, such as `2030-01-31`. It needs `appId`. Default: never. */
  provisioningKeyExpiryDate?: string | undefined;
}

/** One available version of a device type's OS. */
export interface OsVersion {
  /** The raw version, for example `6.0.10+rev1`, `2.60.1+rev1.prod` or `2023.10.1`. */
  readonly version: string;
  /** `esr` if the version belongs to an Extended Support Release line. */
  readonly line: "default" | "esr";
  /** `true` if the version is not final yet. */
  readonly draft: boolean;
  /** The upstream's name for the stage of the line. Absent if the upstream gives none. */
  readonly phase?: string | undefined;
  /** Known issues, in the upstream's words. Absent if the upstream gives none. */
  readonly knownIssues?: string | undefined;
  /** When the version was created, as ISO 8601. Absent if the upstream does not say. */
  readonly createdAt?: string | undefined;
}

/** Options of every call that picks a version. */
export interface ResolveOptions {
  /** Also consider versions that are not final yet. Default `false`. */
  includeDrafts?: boolean | undefined;
  /** Aborts the call, which then rejects with the signal's reason. Default: none. */
  signal?: AbortSignal | undefined;
}

/** What the cache knows about an image. */
export interface ImageInfo {
  /** The manifest's id: `<slug>~<version>~<hash>`. */
  readonly id: string;
  /** Canonical slug of the device type. */
  readonly deviceType: string;
  /** The exact version. */
  readonly version: string;
  /** The variant. It has only the options that differ from the defaults. */
  readonly variant: ImageVariant;
  /** Origin of the API that the image came from. */
  readonly source: string;
  /** Media type: `application/octet-stream` if the image was inflated on the way, otherwise the upstream's. */
  readonly mime: string;
  /** Bytes of the image. */
  readonly size: number;
  /** Strong ETag, with its quotes: SHA-256 over size, chunk size and chunk digests. It is not the SHA-256 of the file. */
  readonly etag: string;
  /** SHA-256 of the image as a file, in hex, as `sha256sum` prints it. Absent unless the option `sha256` of a manager computed it. */
  readonly sha256?: string;
  /** When the file last changed, as the upstream said. Absent if the upstream did not say. */
  readonly lastModified?: Date;
  /** When these bytes were stored. */
  readonly createdAt: Date;
  /** When the upstream last confirmed these bytes. */
  readonly validatedAt: Date;
  /** `true` if `prune` and `maxBytes` must keep the image. */
  readonly pinned: boolean;
  /** Distinguishes the image from a {@link PartialImageInfo}. */
  readonly isComplete: true;
  /** When the image was last used, accurate to 5 minutes. Only `list` fills it in. */
  readonly lastUsedAt?: Date;
  /** Stored bytes that no other image needs. Only `list` fills it in. */
  readonly ownBytes?: number;
  /** Stored bytes that other images need too. Only `list` fills it in. */
  readonly sharedBytes?: number;
}

/** An image that is being downloaded, or whose download broke off. The next download continues with these bytes. */
export interface PartialImageInfo
  extends Pick<ImageInfo, "id" | "deviceType" | "version" | "variant" | "source" | "mime"> {
  /** Distinguishes the image from an {@link ImageInfo}. */
  readonly isComplete: false;
  /** When the transfer began. */
  readonly startedAt: Date;
  /** Bytes of the image that are stored. */
  readonly transferredBytes: number;
  /** Compressed bytes that are stored in addition, because the part of the image that they belong to is not complete. Those of the last second may be missing. */
  readonly keptWireBytes: number;
  /** Bytes of the whole image. Absent if the size is not known. */
  readonly size?: number;
  /** Share of the image that is stored, 0 to 100. Absent if the size is not known. */
  readonly percent?: number;
}
