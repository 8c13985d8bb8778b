// What the package linters say: publint of its manifest, arethetypeswrong of its types.
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import { expect, inject, test } from "vitest";
import manifest from "../../package.json" with { type: "json" };

test("publint has no complaint, not even a suggestion", async () => {
  const pkgDir = join(inject("project"), "node_modules", manifest.name);
  const { messages, pkg } = await publint({ pkgDir, strict: true, pack: false });
  expect(messages.map((message) => formatMessage(message, pkg))).toEqual([]);
});

test("types resolve as the code does, for import and for require", async () => {
  const checking = promisify(execFile)("attw", [inject("tarball"), "--profile", "node16"]);
  // Exits with 1 where it finds a problem, and reports it on stdout.
  const report = await checking.then(
    () => "",
    ({ message, stdout }) => `${message}\n${stdout}`,
  );
  expect(report).toBe("");
});
