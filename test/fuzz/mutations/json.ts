// Hostile JSON: any value in a document becomes something that it should not be.
import type { Random } from "../../soak/random.ts";

/** A document that went bad, as text, and how. */
export interface DamagedJson {
  readonly says: string;
  readonly text: string;
}

/** Changes up to three places of a document; `mayTouch` keeps hands off some. */
export function damagedJson(
  random: Random,
  document: unknown,
  mayTouch: (path: readonly string[]) => boolean = () => true,
): DamagedJson {
  const root = { document: structuredClone(document) };
  const says: string[] = [];
  const raw = new Map<string, string>();
  for (let left = random.int(1, 3); left > 0; left--) {
    const places = placesIn(root).filter(({ path }) => mayTouch(path.slice(1)));
    if (places.length > 0) says.push(damagePlace(random, random.pick(places), raw));
  }
  const text = JSON.stringify(root.document) ?? "";
  return { says: says.join(", "), text: text.replace(/"raw-\d+"/g, (name) => raw.get(name) ?? name) };
}

interface Place {
  readonly parent: Record<string, unknown>;
  readonly key: string;
  readonly path: readonly string[];
}

function placesIn(value: unknown, path: readonly string[] = []): Place[] {
  if (typeof value !== "object" || value === null) return [];
  const parent = value as Record<string, unknown>;
  return Object.keys(parent).flatMap((key) => {
    const here = [...path, key];
    return [{ parent, key, path: here }, ...placesIn(parent[key], here)];
  });
}

/** What JSON.stringify would not write is put in afterwards, in the place of a name. */
function damagePlace(random: Random, { parent, key, path }: Place, raw: Map<string, string>): string {
  const name = path.slice(1).join(".") || "the whole";
  const value = parent[key];
  if (random.chance(0.15) && path.length > 1) {
    if (Array.isArray(parent)) parent.splice(Number(key), 1);
    else delete parent[key];
    return `${name} is missing`;
  }
  if (random.chance(0.1) && Array.isArray(value)) {
    parent[key] = [...value, ...value, ...value];
    return `${name} is there three times`;
  }
  if (random.chance(0.1)) {
    parent[key] = [value];
    return `${name} stands in a list`;
  }
  const [says, text] = random.chance(0.7) ? plainly(random.pick(hostileValues)) : random.pick(largeValues);
  const placeholder = `"raw-${raw.size}"`;
  raw.set(placeholder, text);
  parent[key] = placeholder.slice(1, -1);
  return `${name} is ${says}`;
}

const plainly = (text: string) => [text, text] as const;

const hostileValues: readonly string[] = [
  ...["null", "true", "false", "{}", "[]", "[null]", "[[]]", '{"length":1000000000}', '{"then":true}'],
  ...[
    "0",
    "-1",
    "-0",
    "0.5",
    "1",
    "262144",
    "2147483648",
    "9007199254740991",
    "9007199254740993",
    "1e999",
    "-1e999",
  ],
  ...[
    '""',
    '" "',
    '"x"',
    '"0"',
    '"null"',
    '"__proto__"',
    '"constructor"',
    '"../../etc/passwd"',
    '"a:b"',
    '"%2e%2e"',
  ],
  ...[
    '{"__proto__":{"polluted":1}}',
    '{"constructor":{"prototype":{"polluted":1}}}',
    '{"toString":1,"valueOf":1}',
  ],
  ...[
    String.raw`"\u0000"`,
    String.raw`"\ud800"`,
    String.raw`"a\r\nx-evil: 1"`,
    String.raw`"\u2028"`,
    '"Ünïcödé"',
  ],
  ...[
    '"6.1.0"',
    '"9.9.9"',
    '"0.0.0"',
    '"latest"',
    '"6.1.0 || *"',
    '"v6.1.0+rev1.prod"',
    '"2021.10.2.prod"',
    '"1e9.0.0"',
  ],
  ...[
    '"2026-01-01"',
    '"Thu, 01 Jan 1970 00:00:00 GMT"',
    '"text/html"',
    '"*/*"',
    '"a/b\\r\\n\\r\\n<p>"',
    '"W/\\"x\\""',
  ],
  ...[
    '".img"',
    '".exe"',
    '"esr"',
    '"user-7"',
    `"${"ab".repeat(32)}"`,
    '"http://169.254.169.254/"',
    '"file:///etc/passwd"',
  ],
];

const largeValues: readonly (readonly [says: string, text: string])[] = [
  ["a text of 100,000 letters", JSON.stringify("x".repeat(100_000))],
  ["a list in a list, 20,000 deep", `${"[".repeat(20_000)}${"]".repeat(20_000)}`],
  ["an object in an object, 5,000 deep", `${'{"a":'.repeat(5_000)}1${"}".repeat(5_000)}`],
  ["a number of 1,000 digits", "9".repeat(1_000)],
  ["a list of 100,000 nulls", JSON.stringify(Array.from({ length: 100_000 }, () => null))],
  ["a version of 10,000 digits", `"${"1".repeat(10_000)}.0.0"`],
  ["a range of 2,000 parts", JSON.stringify(Array.from({ length: 2_000 }, () => ">1").join(" "))],
];
