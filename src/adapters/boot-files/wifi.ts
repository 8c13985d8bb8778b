/** A Wi-Fi network as a keyfile of NetworkManager, which balenaOS reads from `/system-connections`. */
import { InvalidArgumentError } from "../../core/errors.ts";

/** Options of {@link wifiConnection}. */
export interface WifiOptions {
  /** Name of the network, 1 to 32 bytes in UTF-8. */
  ssid: string;
  /** WPA pre-shared key: 8 to 63 printable ASCII characters, or 64 hexadecimal digits. Default: none, for an open network. */
  key?: string | undefined;
  /** `true` if the network does not broadcast its name. Default `false`. */
  hidden?: boolean | undefined;
}

/**
 * Returns the keyfile of a Wi-Fi network, for a path such as `system-connections/my-wifi`.
 *
 * @throws `INVALID_ARGUMENT` if an option has the wrong type or is out of range. The message never contains the key.
 *
 * @example
 * ```ts
 * import { bootFiles, wifiConnection } from "balena-image-manager/boot-files";
 *
 * const edit = bootFiles({ "system-connections/office": wifiConnection({ ssid: "office", key: "correct horse" }) });
 * ```
 */
export function wifiConnection(options: WifiOptions): string {
  if (typeof options !== "object" || options === null)
    throw new InvalidArgumentError("The options of wifiConnection must be an object");
  const { ssid, key, hidden = false } = options;
  assertSsid(ssid);
  assertKey(key);
  if (typeof hidden !== "boolean") throw new InvalidArgumentError('"hidden" must be true or false');
  const lines = [
    ["[connection]", "id=balena-wifi", "type=wifi"],
    ["[wifi]", "mode=infrastructure", ...(hidden ? ["hidden=true"] : []), `ssid=${ssidBytes(ssid)}`],
    ...(key === undefined
      ? []
      : [["[wifi-security]", "auth-alg=open", "key-mgmt=wpa-psk", `psk=${escaped(key)}`]]),
    ["[ipv4]", "method=auto"],
    ["[ipv6]", "addr-gen-mode=stable-privacy", "method=auto"],
  ];
  return `${lines.map((section) => section.join("\n")).join("\n\n")}\n`;
}

function assertSsid(ssid: unknown): asserts ssid is string {
  const bytes = typeof ssid === "string" && ssid.isWellFormed() ? new TextEncoder().encode(ssid).length : 0;
  if (bytes < 1 || bytes > 32)
    throw new InvalidArgumentError('"ssid" must be a string of 1 to 32 bytes in UTF-8');
}

function assertKey(key: unknown): asserts key is string | undefined {
  if (key === undefined) return;
  // IEEE 802.11: a passphrase of printable ASCII, or the key itself.
  if (typeof key === "string" && (/^[\x20-\x7e]{8,63}$/.test(key) || /^[0-9a-fA-F]{64}$/.test(key))) return;
  throw new InvalidArgumentError(
    '"key" must be 8 to 63 printable ASCII characters, or 64 hexadecimal digits',
  );
}

/** Plain text if that is safe, otherwise a list of bytes. Keyfiles accept such a list as a name, and it needs no escapes. */
function ssidBytes(ssid: string): string {
  if (/^[A-Za-z0-9_.-]+( [A-Za-z0-9_.-]+)*$/.test(ssid)) return ssid;
  return `${[...new TextEncoder().encode(ssid)].join(";")};`;
}

/** Escapes as GLib's keyfiles need it: a backslash is doubled, and a space at the start would be dropped. */
function escaped(value: string): string {
  return value.replaceAll("\\", "\\\\").replace(/^ +/, (spaces) => "\\s".repeat(spaces.length));
}
