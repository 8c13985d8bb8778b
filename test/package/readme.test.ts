// README's example, as it stands there, but for the API that it asks: one on loopback in place of balenaCloud.
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, inject, test } from "vitest";
import { startBalenaApi } from "../support/balena-api/index.ts";

test("README's example writes the image, from the network and then from the cache", async () => {
  await using api = await startBalenaApi();
  const [cwd, readme] = [inject("project"), await readFile("README.md", "utf8")];
  const example = /```js\n(.*?)```/s.exec(readme)?.[1] ?? "";
  expect(example).toContain("balenaSdkSource()");
  const source = `balenaSdkSource(${JSON.stringify({ apiUrl: api.url })})`;
  await writeFile(join(cwd, "example.mjs"), example.replace("balenaSdkSource()", source));

  for (const origin of ["network", "cache"]) {
    const { stdout } = await promisify(execFile)(process.execPath, ["example.mjs"], { cwd });
    expect(stdout).toBe(`balenaOS 6.1.0 for raspberrypi4-64, from ${origin}\n`);
    const written = createHash("sha256").update(await readFile(join(cwd, "balena.img")));
    expect(written.digest("hex")).toBe(await api.image("raspberrypi4-64", "6.1.0").sha256);
  }
});
