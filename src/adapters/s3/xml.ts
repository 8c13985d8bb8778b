/** The little XML that S3 speaks: flat elements, no attributes that matter. Web platforms have no parser in common. */

/** Text of the first element of a name; `undefined` where there is none. */
export function elementOf(xml: string, name: string): string | undefined {
  return elementsOf(xml, name)[0];
}

/** Text of all elements of a name, entities decoded. */
export function elementsOf(xml: string, name: string): string[] {
  return blocksOf(xml, name).map(unescapeXml);
}

/** What stands in all elements of a name, as it is. */
export function blocksOf(xml: string, name: string): string[] {
  const pattern = new RegExp(`<${name}(?:\\s[^>]*)?>(.*?)</${name}>`, "gs");
  return Array.from(xml.matchAll(pattern), ([, inner]) => inner ?? "");
}

/** Escapes text for an element. */
export function escapeXml(text: string): string {
  return text.replace(/[&<>"'\r\n\t]/g, (character) => `&#${character.charCodeAt(0)};`);
}

const named: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };

function unescapeXml(text: string): string {
  return text.replace(/&(?:#x([0-9a-f]{1,6})|#(\d{1,7})|(\w+));/gi, (whole, hex, decimal, name) => {
    if (name !== undefined) return named[name] ?? whole;
    const code = Number.parseInt(hex ?? decimal, hex ? 16 : 10);
    return code <= 0x10ffff ? String.fromCodePoint(code) : whole;
  });
}
