// The example of `createImageHandler`'s TSDoc, as it stands there, but for the API that it asks.
import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import * as balenaApi from "../../../src/adapters/balena-api/index.ts";
import * as memory from "../../../src/adapters/memory/index.ts";
import * as http from "../../../src/core/http/index.ts";
import * as core from "../../../src/core/index.ts";
import { startBalenaApi } from "../../support/balena-api/index.ts";

test("runs, and prints where latest is", async () => {
  await using api = await startBalenaApi();
  const source = await readFile(new URL("../../../src/core/http/handler.ts", import.meta.url), "utf8");
  const example = /\* ```ts\n(.*?) \* ```/s.exec(source)![1]!.replace(/^ \* ?/gm, "");
  expect(example).toContain("createImageHandler(images");
  const printed: unknown[] = [];
  const names = {
    ...core,
    ...memory,
    ...http,
    balenaApiSource: () => balenaApi.balenaApiSource({ apiUrl: api.url }),
    console: { log: (...values: unknown[]) => printed.push(...values), error: console.error },
  };
  const body = `return (async () => {${example.replace(/^import .*$/gm, "")}})()`;
  await new Function(...Object.keys(names), body)(...Object.values(names));
  expect(printed).toEqual([302, "../raspberrypi4-64/6.2.0-beta.1"]);
});
