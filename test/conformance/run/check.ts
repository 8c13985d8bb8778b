// What every check works with, and the three ways in which it ends: it returns, it throws, or it names a limitation.
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdtemp, readFile } from "node:fs/promises";
import { join } from "node:path";
import { equal, ok } from "../../runtimes/suites/assert.ts";
import type { BalenaApi, ServedImage } from "../../support/balena-api/index.ts";
import { fixtureSlugs } from "../../support/balena-api/index.ts";
import type { Site, SiteRuntime } from "./sites.ts";

/** One row of the table. What it returns is told beside the table. */
export type Check = (bench: Bench) => Promise<string | undefined>;

/** Rows by their names. */
export type Checks = Readonly<Record<string, Check>>;

/** What it has. */
export interface Bench {
  readonly runtime: SiteRuntime;
  /** Where the package is installed. */
  readonly project: string;
  readonly api: BalenaApi;
  readonly site: Site;
  /** Empty, and this check's own. */
  readonly directory: string;
  /** An image that the server has in its store. */
  readonly warm: Image;
  /** One that it has not, and no other check asks for. */
  cold(fileType?: ".img"): Promise<Image>;
}

/** An image as the server is asked for it, and as it should come. */
export interface Image extends Pick<ServedImage, "size" | "bytes" | "sha256"> {
  readonly version: string;
  /** Path and query. */
  readonly path: string;
  readonly url: string;
}

/** What a runtime can't do, whatever the handler does. */
export class Limitation extends Error {}

/** The image of a version at a server; `revision` 1 is what `faults.change` puts in its place. */
export function imageAt(
  site: Site,
  api: BalenaApi,
  version: string,
  fileType?: ".img",
  revision?: number,
): Image {
  const { size, bytes, sha256 } = api.image(fixtureSlugs.main, version, {}, revision);
  const path = `/images/${fixtureSlugs.main}/${version}${fileType ? `?fileType=${fileType}` : ""}`;
  return { version, path, url: site.url + path, size, bytes, sha256 };
}

/** How a client ended. */
export interface Ended {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

const limitMs = 60_000;

/** Runs a client to its end. */
export function runClient(program: string, args: readonly string[], cwd: string): Promise<Ended> {
  const options = {
    cwd,
    timeout: limitMs,
    maxBuffer: 64 * 1024 * 1024,
    env: { ...process.env, LC_ALL: "C" },
  };
  return new Promise((resolve, reject) => {
    execFile(program, args, options, (error, stdout, stderr) => {
      if (error === null) resolve({ exitCode: 0, stdout, stderr });
      else if (typeof error.code === "number") resolve({ exitCode: error.code, stdout, stderr });
      else reject(new Error(`${program} ${args.join(" ")}: ${error.signal ?? error.code}\n${stderr}`));
    });
  });
}

/** Holds a client to an exit code. */
export function ended({ exitCode, stderr }: Ended, expected = 0): void {
  ok(exitCode === expected, `exit code ${exitCode}, expected ${expected}: ${stderr.trim().slice(-500)}`);
}

/** Holds a file to an image. */
export async function assertIsImage(file: string, image: Pick<Image, "sha256">): Promise<void> {
  equal(await sha256Of(file), await image.sha256, "SHA-256");
}

/** Holds a file to some bytes. */
export async function assertIsBytes(file: string, expected: Uint8Array): Promise<void> {
  const found = await readFile(file);
  ok(
    found.equals(expected),
    `${found.length} bytes of the file are not the ${expected.length} expected ones`,
  );
}

/** Bytes that a client had before. */
export function halfOf(image: Image): Uint8Array {
  return image.bytes(0, image.size / 2);
}

/** A directory for one of several clients of a check. */
export function subdirectory({ directory }: Bench): Promise<string> {
  return mkdtemp(join(directory, "client-"));
}

async function sha256Of(file: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const piece of createReadStream(file, { highWaterMark: 1024 * 1024 })) hash.update(piece);
  return hash.digest("hex");
}
