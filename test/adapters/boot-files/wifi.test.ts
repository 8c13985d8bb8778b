// Wi-Fi keyfiles: what NetworkManager's format says, with names and keys that need care.
import { describe, expect, test } from "vitest";
import { wifiConnection } from "../../../src/adapters/boot-files/index.ts";

describe("a Wi-Fi connection", () => {
  test("is a keyfile with the name and the key", () => {
    expect(wifiConnection({ ssid: "my wifi", key: "correct horse" })).toBe(
      [
        ...["[connection]", "id=balena-wifi", "type=wifi", ""],
        ...["[wifi]", "mode=infrastructure", "ssid=my wifi", ""],
        ...["[wifi-security]", "auth-alg=open", "key-mgmt=wpa-psk", "psk=correct horse", ""],
        ...["[ipv4]", "method=auto", ""],
        ...["[ipv6]", "addr-gen-mode=stable-privacy", "method=auto", ""],
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
    ["a letter beyond ASCII", "é", "195;169;"],
    ["a space at its start", " a", "32;97;"],
    ["digits and semicolons alone", "1;2;", "49;59;50;59;"],
  ])("with %s in its name gives the name's bytes", (_, ssid, bytes) => {
    expect(wifiConnection({ ssid })).toContain(`\nssid=${bytes}\n`);
  });

  test("escapes a key as keyfiles do", () => {
    expect(wifiConnection({ ssid: "a", key: " back\\slash" })).toContain("\npsk=\\sback\\\\slash\n");
  });

  test.each([
    ["no name", { ssid: "" }],
    ["a name of 33 bytes", { ssid: "x".repeat(33) }],
    ["a short key", { ssid: "a", key: "planted" }],
    ["a key with a line break", { ssid: "a", key: "planted\nid=x" }],
    ["a key of 64 that is no hexadecimal", { ssid: "a", key: `planted${"x".repeat(57)}` }],
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
