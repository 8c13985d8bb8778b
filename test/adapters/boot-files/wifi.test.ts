// Wi-Fi keyfiles: what NetworkManager's format says, with names and keys that need care.
import { describe, expect, test } from "vitest";
import { wifiConnection } from "../../../src/adapters/boot-files/index.ts";

describe("a Wi-Fi connection", () => {
  test("is a keyfile with the name and the key", () => {
    expect(wifiConnection({ ssid: "my wifi", key: "correct horse" })).toBe(
      [
        ...["[connection]", "id=balena-wifi-01", "type=wifi", ""],
        ...["[wifi]", "mode=infrastructure", "ssid=my wifi", ""],
        ...["[ipv4]", "method=auto", ""],
        ...["[ipv6]", "addr-gen-mode=stable-privacy", "method=auto", ""],
        ...["[wifi-security]", "auth-alg=open", "key-mgmt=wpa-psk", "psk=correct horse"],
      ].join("\n"),
    );
  });

  test("without a key is an open network; a hidden one says so", () => {
    const text = wifiConnection({ ssid: "cafe", hidden: true });
    expect(text).not.toContain("wifi-security");
    expect(text).toContain("hidden=true\n");
  });

  test.each([
    ["a semicolon", "a;b", "97;59;98;"],
    ["a line break", "a\nb", "97;10;98;"],
    ["a backslash", "a\\b", "97;92;98;"],
    ["two spaces in a row", "a  b", "97;32;32;98;"],
    ["a space of another kind", "a\u00a0b", "97;194;160;98;"],
    ["a space at its start", " a", "32;97;"],
    ["digits and semicolons alone", "1;2;", "49;59;50;59;"],
  ])("with %s in its name gives the name's bytes", (_, ssid, bytes) => {
    expect(wifiConnection({ ssid })).toContain(`\nssid=${bytes}\n`);
  });

  test.each(["Café 7", "12345678", "日本", "a=b#c[d]"])("is called %s as it stands", (ssid) => {
    expect(wifiConnection({ ssid })).toContain(`\nssid=${ssid}\n`);
  });

  test("may have a name and a fixed address", () => {
    const address = { ip: "10.0.0.5", netmask: "24", gateway: "10.0.0.1" };
    const text = wifiConnection({ ssid: "a", id: "office-2", ...address });
    expect(text).toContain("\nid=office-2\n");
    expect(text).toContain("[ipv4]\nmethod=manual\naddress1=10.0.0.5/24,10.0.0.1\n\n[ipv6]");
  });

  test("escapes a key as keyfiles do", () => {
    expect(wifiConnection({ ssid: "a", key: " back\\slash" })).toMatch(/\npsk=\\sback\\\\slash$/);
  });

  test.each([
    ["no name", { ssid: "" }],
    ["a name of 33 bytes", { ssid: "x".repeat(33) }],
    ["a short key", { ssid: "a", key: "planted" }],
    ["a key with a line break", { ssid: "a", key: "planted\nid=x" }],
    ["a key of 64 that is no hexadecimal", { ssid: "a", key: `planted${"x".repeat(57)}` }],
    ["a name for the connection with a line break", { ssid: "a", id: "planted\nx=y" }],
    ["half an address", { ssid: "a", ip: "10.0.0.5" }],
    ["an address that is none", { ssid: "a", ip: "planted", netmask: "24", gateway: "10.0.0.1" }],
    ["no object", null],
  ])("%s is INVALID_ARGUMENT and is not repeated", (_, options) => {
    const failure = (() => {
      try {
        return wifiConnection(options as never);
      } catch (error) {
        return error;
      }
    })();
    expect(failure).toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(String(failure)).not.toContain("planted");
  });
});
