/** A Wi-Fi network as a keyfile of NetworkManager, which balenaOS reads from `/system-connections`. It is laid out as balena's own are. */
import { isIpv4, isNetmask } from "../../core/checks.ts";
import { InvalidArgumentError } from "../../core/errors.ts";

/** Options of {@link wifiConnection}. */
export interface WifiOptions {
  /** Name of the network, 1 to 32 bytes in UTF-8. */
  ssid: string;
  /** WPA pre-shared key: 8 to 63 printable ASCII characters, or 64 hexadecimal digits. Default: none, for an open network. */
  key?: string | undefined;
  /** `true` if the network does not broadcast its name. Default `false`. */
  hidden?: boolean | undefined;
  /** Fixed IPv4 address. It needs `netmask` and `gateway`. Default: the address comes from DHCP. */
  ip?: string | undefined;
  /** Netmask that belongs to `ip`: the length of the prefix, such as `24`, or an IPv4 mask. Default: none. */
  netmask?: string | undefined;
  /** IPv4 address of the gateway that belongs to `ip`. Default: none. */
  gateway?: string | undefined;
  /** Name of the connection: 1 to 64 letters, digits and `. _ -`. Default `balena-wifi-01`. */
  id?: string | undefined;
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
  const { ssid, key, hidden = false, id = "balena-wifi-01", ...address } = options;
  assertSsid(ssid);
  assertKey(key);
  if (typeof hidden !== "boolean") throw new InvalidArgumentError('"hidden" must be true or false');
  if (typeof id !== "string" || !/^[\w.-]{1,64}$/.test(id))
    throw new InvalidArgumentError('"id" must be 1 to 64 letters, digits and . _ -');
  const sections = [
    ["[connection]", `id=${id}`, "type=wifi"],
    ["[wifi]", ...(hidden ? ["hidden=true"] : []), "mode=infrastructure", `ssid=${ssidValue(ssid)}`],
    ["[ipv4]", ...addressLines(address)],
    ["[ipv6]", "addr-gen-mode=stable-privacy", "method=auto"],
    ...(key === undefined
      ? []
      : [["[wifi-security]", "auth-alg=open", "key-mgmt=wpa-psk", `psk=${escaped(key)}`]]),
  ];
  return sections.map((section) => section.join("\n")).join("\n\n");
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

function addressLines({ ip, netmask, gateway }: Pick<WifiOptions, "ip" | "netmask" | "gateway">): string[] {
  if (ip === undefined && netmask === undefined && gateway === undefined) return ["method=auto"];
  if (isIpv4(ip) && isNetmask(netmask) && isIpv4(gateway))
    return ["method=manual", `address1=${ip}/${netmask},${gateway}`];
  throw new InvalidArgumentError(
    'A fixed address needs "ip" and "gateway" as IPv4 addresses, and "netmask" as a prefix length such as "24" or an IPv4 mask',
  );
}

/** Plain text if that is safe, otherwise a list of bytes. Keyfiles accept such a list as a name, and it needs no escapes. */
function ssidValue(ssid: string): string {
  if (/^[^\p{C}\p{Z};\\]+( [^\p{C}\p{Z};\\]+)*$/u.test(ssid)) return ssid;
  return `${[...new TextEncoder().encode(ssid)].join(";")};`;
}

/** Escapes as GLib's keyfiles need it: a backslash is doubled, and a space at the start would be dropped. */
function escaped(value: string): string {
  return value.replaceAll("\\", "\\\\").replace(/^ +/, (spaces) => "\\s".repeat(spaces.length));
}
