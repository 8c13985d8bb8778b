/** The little XML that S3 speaks: flat elements, no attributes that matter. Web platforms have no parser in common. */

/** Text of the first element of a name; `undefined` if there is none. */
export function elementOf(xml: string, name: string): string | undefined {
  return elementsOf(xml, name)[0];
}

/** Text of all elements of a name, entities decoded. */
export function elementsOf(xml: string, name: string): string[] {
  return blocksOf(xml, name).map(unescapeXml);
}

/** The contents of all elements of a name, unchanged. Each character is looked at once or twice in any text. */
export function blocksOf(xml: string, name: string): string[] {
  const blocks: string[] = [];
  const opening = new RegExp(`<${name}(?:\\s[^<>]*)?>`, "g");
  for (let match = opening.exec(xml); match !== null; match = opening.exec(xml)) {
    const end = xml.indexOf(`</${name}>`, opening.lastIndex);
    if (end === -1) break;
    blocks.push(xml.slice(opening.lastIndex, end));
    opening.lastIndex = end;
  }
  return blocks;
}

/** Whether a document is there to its end. A body without a length that is cut off ends as if whole: only the last tag tells. */
export function isWhole(xml: string, root: string): boolean {
  const text = xml.trimEnd();
  const start = text.search(new RegExp(`<${root}[\\s/>]`));
  const isEmpty = text.endsWith("/>") && text.lastIndexOf("<") === start;
  return start !== -1 && (isEmpty || text.endsWith(`</${root}>`));
}

/** Escapes text for an element. */
export function escapeXml(text: string): string {
  return text.replace(/[&<>"'\r\n\t]/g, (character) => `&#${character.charCodeAt(0)};`);
}

const named: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };

function unescapeXml(text: string): string {
  return text.replace(/&(?:#x([0-9a-f]{1,6})|#(\d{1,7})|(\w{1,8}));/gi, (whole, hex, decimal, name) => {
    if (name !== undefined) return named[name] ?? whole;
    const code = Number.parseInt(hex ?? decimal, hex ? 16 : 10);
    return code <= 0x10ffff ? String.fromCodePoint(code) : whole;
  });
}
