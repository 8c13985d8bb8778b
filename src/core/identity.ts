/** The identity of an image: source, scope, device type, version and variant. The image's id is made from it. */
import { isDate, isIpv4, isNetmask, isPositiveInteger } from "./checks.ts";
import { isDeviceType } from "./device-type.ts";
import { sha256HexOfText } from "./digest.ts";
import { InvalidArgumentError } from "./errors.ts";
import type { ImageVariant } from "./types.ts";
import { parseVersion } from "./version/index.ts";

/** A complete identity. `variant` holds only what differs from the defaults, in a fixed order. */
export interface ImageIdentity {
  readonly source: string;
  readonly scope: string | null;
  readonly deviceType: string;
  readonly version: string;
  readonly variant: Readonly<ImageVariant>;
}

/** `<slug>~<version>~<32 hex>`: readable, and safe as a key and as a file name on any disk. */
export async function imageId(identity: ImageIdentity): Promise<string> {
  const { source, scope, deviceType, version, variant } = identity;
  // An id shows up in events. Hashing a Wi-Fi key into it would let anyone who reads them guess the key off-line.
  const { wifiKey: _secret, ...hashed } = variant;
  const hash = await sha256HexOfText(JSON.stringify([source, scope, deviceType, version, hashed]));
  return `${deviceType}~${escapeVersion(version)}~${hash.slice(0, 32)}`;
}

/** Whether a value that was read is a complete identity, with a variant as {@link normalizeVariant} leaves it. */
export function isIdentity(value: unknown): value is ImageIdentity {
  const { source, scope, deviceType, version, variant } = (value ?? {}) as Partial<ImageIdentity>;
  if (typeof source !== "string" || !isDeviceType(deviceType) || typeof version !== "string") return false;
  if (!parseVersion(version)) return false;
  if ((scope !== null && typeof scope !== "string") || typeof variant !== "object" || variant === null)
    return false;
  try {
    return JSON.stringify(normalizeVariant(variant)) === JSON.stringify(variant);
  } catch {
    return false;
  }
}

/** The start of the ids of all images of a device type. */
export function imageIdPrefix(deviceType: string): string {
  return `${deviceType}~`;
}

// It can't be reversed, and does not have to be: the hash tells versions apart, and the manifest has the true version.
function escapeVersion(version: string): string {
  return version.toLowerCase().replace(/[^a-z0-9.-]/g, "_");
}

/** Whether an image carries credentials: such an image is never stored or shared. */
export function carriesCredentials(variant: ImageVariant): boolean {
  return variant.appId !== undefined || variant.wifiKey !== undefined;
}

/** Whether balena makes the image for each download, with the time in it: then its bytes, and its `.gz`'s size, are never the same twice. */
export function isMadeEachTime(variant: ImageVariant): boolean {
  const { developmentMode, appId, network, wifiSsid, wifiKey, appUpdatePollInterval, ip } = variant;
  const settings = [appId, wifiSsid, wifiKey, appUpdatePollInterval, ip];
  return developmentMode === true || network === "wifi" || settings.some((value) => value !== undefined);
}

/** The variant without what an upstream writes into an image for each download. */
export function plainVariant({ imageType, fileType }: ImageVariant): ImageVariant {
  return { ...(imageType && { imageType }), ...(fileType && { fileType }) };
}

type VariantKey = Exclude<keyof ImageVariant, "scope">;

const isText = (value: unknown) => isTextWithin(256, value);
const isTextWithin = (maxLength: number, value: unknown) =>
  typeof value === "string" && value.length > 0 && value.length <= maxLength;
const oneOf =
  (...values: unknown[]) =>
  (value: unknown) =>
    values.includes(value);

// In the order that identities are written in.
const variantRules: {
  [K in VariantKey]: { isValid(value: unknown): boolean; wants: string; byDefault?: unknown };
} = {
  developmentMode: { isValid: oneOf(true, false), wants: "true or false", byDefault: false },
  imageType: { isValid: oneOf("raw", "flasher"), wants: '"raw" or "flasher"' },
  fileType: { isValid: oneOf(".img", ".zip", ".gz"), wants: '".img", ".zip" or ".gz"' },
  appId: { isValid: isPositiveInteger, wants: "a positive integer" },
  network: { isValid: oneOf("ethernet", "wifi"), wants: '"ethernet" or "wifi"', byDefault: "ethernet" },
  wifiSsid: { isValid: isText, wants: "a text of 1 to 256 characters" },
  wifiKey: { isValid: isText, wants: "a text of 1 to 256 characters" },
  appUpdatePollInterval: { isValid: isPositiveInteger, wants: "a positive integer (minutes)" },
  ip: { isValid: isIpv4, wants: "an IPv4 address" },
  gateway: { isValid: isIpv4, wants: "an IPv4 address" },
  netmask: { isValid: isNetmask, wants: 'a prefix length such as "24", or an IPv4 mask' },
  provisioningKeyName: { isValid: isText, wants: "a text of 1 to 256 characters" },
  provisioningKeyDescription: {
    isValid: (value) => isTextWithin(1000, value),
    wants: "a text of 1 to 1,000 characters",
  },
  provisioningKeyExpiryDate: { isValid: isDate, wants: 'a date as ISO 8601, such as "2030-01-31"' },
};

/** Checks a variant and leaves out what equals the defaults, so that equal variants look equal. */
export function normalizeVariant(options: ImageVariant): ImageVariant {
  if (typeof options !== "object" || options === null)
    throw new InvalidArgumentError("The options must be an object");
  const entries = (Object.keys(variantRules) as VariantKey[]).flatMap((key) => {
    const value: unknown = options[key];
    if (value === undefined) return [];
    const rule = variantRules[key];
    // The value itself stays out of the message: it may be a secret.
    if (!rule.isValid(value)) throw new InvalidArgumentError(`"${key}" must be ${rule.wants}`);
    return value === rule.byDefault ? [] : [[key, value]];
  });
  return Object.fromEntries(entries) as ImageVariant;
}

/** Checks a scope given by the caller. */
export function assertScope(scope: unknown): asserts scope is string | undefined {
  if (scope === undefined || isText(scope)) return;
  throw new InvalidArgumentError('"scope" must be a string of 1 to 256 characters');
}
