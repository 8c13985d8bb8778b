// What an adapter says if its client, an optional peer of the package, is not installed: a typed error with the command that installs it.
import { execFile } from "node:child_process";
import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, expect, test } from "vitest";

// Copied to where no node_modules is in reach but semver's.
const directory = await mkdtemp(join(tmpdir(), "missing-peers-"));
afterAll(() => rm(directory, { recursive: true, force: true }));
const root = new URL("../../", import.meta.url);
await cp(new URL("src", root), join(directory, "src"), { recursive: true });
await cp(new URL("node_modules/semver", root), join(directory, "node_modules/semver"), { recursive: true });
await writeFile(join(directory, "package.json"), '{ "type": "module" }');

test.each([
  [
    "aws4fetch",
    "s3",
    's3Adapter({ bucket: "bucket", region: "a", accessKeyId: "a", secretAccessKey: "s" }).hasItem("k", {})',
  ],
  ["ioredis", "redis", 'redisAdapter({ url: "redis://127.0.0.1:1" }).hasItem("k", {})'],
  [
    "@azure/storage-blob",
    "azure-blob",
    'azureBlobAdapter({ url: "http://127.0.0.1:1/account/images" }).hasItem("k", {})',
  ],
  ["balena-sdk", "balena-sdk", 'balenaSdkSource().versions("intel-nuc", {})'],
  ["balena-sdk", "v10", 'get("intel-nuc")'],
  ["balena-sdk", "v10", "cleanCache()"],
  ["balena-sdk", "v10", 'resolveVersion("intel-nuc", "latest")'],
])("%s, used by %s, is named: %s", async (name, adapter, call) => {
  const path = `./src/adapters/${adapter}/index.ts`;
  const [user] = call.split("(");
  const source = `import { ${user} } from "${path}";
    import { isImageManagerError } from "./src/core/index.ts";
    const { code, message, cause, is } = await ${call}.then(() => ({}), (error) => ({
      code: error.code, message: error.message, cause: error.cause?.code, is: isImageManagerError(error) }));
    console.log(JSON.stringify({ code, message, cause, is }));`;
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", source], {
    cwd: directory,
    env: { PATH: process.env["PATH"], HOME: directory },
  });
  expect(JSON.parse(stdout)).toEqual({
    code: "INVALID_ARGUMENT",
    message: expect.stringMatching(
      new RegExp(`^\\S+ needs the package "${name}", which could not be loaded: npm install ${name}$`),
    ),
    cause: "ERR_MODULE_NOT_FOUND",
    is: true,
  });
});
