// docs/api is what typedoc makes of the sources now: nothing undocumented, no dead link, every subpath there.
import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, expect, test } from "vitest";
import manifest from "../../package.json" with { type: "json" };

const made = await mkdtemp(join(tmpdir(), "api-reference-"));
afterAll(() => rm(made, { recursive: true, force: true }));
// Exits with a failure where it warns, and reports it on stderr.
const complaints = await promisify(execFile)("typedoc", [
  "--options",
  "docs/typedoc.json",
  "--out",
  made,
]).then(
  () => "",
  ({ stdout, stderr }) => `${stdout}${stderr}`,
);
const [pages, committed] = await Promise.all([pagesIn(made), pagesIn("docs/api")]);

test("typedoc has no complaint: all that is public is documented, and every {@link} leads somewhere", () => {
  expect(complaints).toBe("");
});

test("docs/api holds a page for each that typedoc makes, and no other file", () => {
  expect([...committed.keys()], outdated).toEqual([...pages.keys()]);
});

test.each([...pages.keys()])("docs/api/%s is up to date", (name) => {
  expect(committed.get(name), outdated).toBe(pages.get(name));
});

test("every subpath of the package has a page", () => {
  const subpaths = Object.keys(manifest.exports).filter((subpath) => subpath !== "./package.json");
  const titles = [...pages].filter(([name]) => name !== "README.md").map(([, text]) => titleOf(text));
  expect(titles.sort()).toEqual(subpaths.map((subpath) => manifest.name + subpath.slice(1)).sort());
});

test.each([...pages.keys()])("every link in docs/api/%s leads to a page or heading that is there", (name) => {
  const links = [...withoutCode(pages.get(name)!).matchAll(/\]\((?!https:)([^)#]*)(?:#([^)]*))?\)/g)];
  const dead = links.filter(([, page, anchor]) => {
    const text = pages.get(page || name);
    return text === undefined || (anchor !== undefined && !anchorsIn(text).has(anchor));
  });
  expect(links.length).toBeGreaterThan(0);
  expect(dead.map(([link]) => link)).toEqual([]);
});

const outdated = "docs/api is out of date: npm run docs:api";

async function pagesIn(directory: string): Promise<Map<string, string>> {
  const names = (await readdir(directory).catch(() => [])).sort();
  const texts = names.map(async (name) => [name, await readFile(join(directory, name), "utf8")] as const);
  return new Map(await Promise.all(texts));
}

function titleOf(text: string): string | undefined {
  return /^# (.*)$/m.exec(text)?.[1];
}

function withoutCode(text: string): string {
  return text.replaceAll(/^```.*?^```/gms, "");
}

/** As GitHub names them: a heading's words with dashes, counted where there are several of them. */
function anchorsIn(text: string): Set<string> {
  const anchors = new Set(Array.from(text.matchAll(/<a id="([^"]+)">/g), ([, id]) => id!));
  const seen = new Map<string, number>();
  for (const [, heading] of withoutCode(text).matchAll(/^#+ (.*)$/gm)) {
    const slug = heading!
      .toLowerCase()
      .replaceAll(/[^\w\- ]/g, "")
      .replaceAll(" ", "-");
    const count = seen.get(slug) ?? 0;
    anchors.add(count === 0 ? slug : `${slug}-${count}`);
    seen.set(slug, count + 1);
  }
  return anchors;
}
