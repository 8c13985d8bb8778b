// Adds to package-lock.json the optional packages of other platforms that npm left out. Run it after `npm install` if `npm ci` then says
// "Missing: … from lock file": npm (11.19) drops such a package where the registry at hand does not have it, and refuses
// the lock file for lacking it afterwards. An entry without `integrity` is whole enough: platforms it is not for skip it.
import { readFile, writeFile } from "node:fs/promises";

interface Entry {
  readonly version?: string;
  readonly dev?: boolean;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

const systems: Readonly<Record<string, string>> = {
  ...{
    aix: "aix",
    android: "android",
    darwin: "darwin",
    freebsd: "freebsd",
    linux: "linux",
    linuxmusl: "linux",
  },
  ...{
    netbsd: "netbsd",
    openbsd: "openbsd",
    openharmony: "openharmony",
    sunos: "sunos",
    win32: "win32",
    windows: "win32",
  },
};
const processors: Readonly<Record<string, string>> = {
  ...{
    x64: "x64",
    "64": "x64",
    ia32: "ia32",
    arm64: "arm64",
    aarch64: "arm64",
    arm: "arm",
    loong64: "loong64",
  },
  ...{ mips64el: "mips64el", ppc64: "ppc64", riscv64: "riscv64", s390x: "s390x" },
};

const path = "package-lock.json";
const lock: { packages: Record<string, Entry> } = JSON.parse(await readFile(path, "utf8"));
const missing = Object.entries(lock.packages).flatMap(([parentPath, parent]) =>
  missingOf(parentPath, parent),
);
for (const [key, entry] of missing) lock.packages[key] = entry;
const sorted = Object.entries(lock.packages).sort(([a], [b]) => a.localeCompare(b, "en"));
await writeFile(path, `${JSON.stringify({ ...lock, packages: Object.fromEntries(sorted) }, null, 2)}\n`);
console.log(`${missing.length} packages added`);

function missingOf(parentPath: string, parent: Entry): [key: string, entry: Entry][] {
  return Object.entries(parent.optionalDependencies ?? {}).flatMap(([name, version]) => {
    const platform = platformOf(name);
    // A range can't be pinned without asking, and a package for all platforms is missing for another reason.
    if (!/^\d+\.\d+\.\d+[^ ]*$/.test(version) || platform === undefined || isFound(parentPath, name))
      return [];
    const isTaken = `node_modules/${name}` in lock.packages;
    const key = isTaken ? `${parentPath}/node_modules/${name}` : `node_modules/${name}`;
    return [[key, { version, ...platform, ...(parent.dev && { dev: true }), optional: true }]];
  });
}

/** Whether npm would find the package from there, looking upwards as Node does. */
function isFound(parentPath: string, name: string): boolean {
  const levels = parentPath
    .split("/node_modules/")
    .map((_, depth, all) => all.slice(0, depth + 1).join("/node_modules/"));
  return ["", ...levels.map((level) => `${level}/`)].some(
    (level) => `${level}node_modules/${name}` in lock.packages,
  );
}

/** What the package is for, by its name: `@rollup/rollup-linux-x64-musl`. */
function platformOf(name: string): object | undefined {
  const words = name.split(/[-/]/);
  const os = words.map((word) => systems[word]).find((known) => known !== undefined);
  const cpu = words.map((word) => processors[word]).find((known) => known !== undefined);
  if (os === undefined || cpu === undefined) return undefined;
  const libc = words.some((word) => word.includes("musl")) ? "musl" : "glibc";
  const isBound = os === "linux" && words.some((word) => /musl|gnu/.test(word));
  return { os: [os], cpu: [cpu], ...(isBound && { libc: [libc] }) };
}
