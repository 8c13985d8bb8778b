// Events by Node's own means, in processes of their own: NODE_DEBUG is read when a process starts.
import { execFile } from "node:child_process";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { balenaApiSource } from "../../src/adapters/balena-api/index.ts";
import { memoryAdapter } from "../../src/adapters/memory/index.ts";
import { nodeEvents } from "../../src/adapters/node/index.ts";
import { createImageManager, type ImageManagerEvent } from "../../src/core/index.ts";
import { rejection } from "../support/collect.ts";
import { sharedApi, slug, version } from "../support/shared-api.ts";

const api = await sharedApi({ assets: true });

function managerWith(token: string) {
  const source = balenaApiSource({ apiUrl: api.url, token });
  const retry = { attempts: 1 };
  return createImageManager({ source, storage: memoryAdapter(), onEvent: nodeEvents, retry });
}

describe("the channel balena-image-manager", () => {
  test("has every event, for whoever subscribes", async () => {
    const seen: ImageManagerEvent[] = [];
    const listener = (event: unknown) => void seen.push(event as ImageManagerEvent);
    subscribe("balena-image-manager", listener);
    await managerWith(api.token).prefetch(slug, version);
    unsubscribe("balena-image-manager", listener);
    await managerWith(api.token).prefetch(slug, version);
    expect(seen.map(({ type }) => type)).toEqual(["miss", "committed"]);
  });
});

describe("NODE_DEBUG", () => {
  /** What a process with this setting writes to standard error: it logs one event of each kind. */
  async function logged(setting: string): Promise<string> {
    const script = `
      import { nodeEvents } from ${JSON.stringify(fileURLToPath(new URL("../../src/adapters/node/node-events.ts", import.meta.url)))};
      nodeEvents({ type: "committed", image: "pi~6.1.0+rev1~ab", size: 5, durationMs: 12.5, wireBytes: 3 });
      const cause = Object.assign(new Error("connect\\nrefused"), { code: "ECONNREFUSED" });
      nodeEvents({ type: "failed", image: "pi~6.1.0~ab", durationMs: 1, wireBytes: 0, cause });
      nodeEvents({ type: "resumed", image: "pi~6.1.0~ab", fromByte: 7, cause: undefined });`;
    const env = { ...process.env, NODE_DEBUG: setting };
    const run = promisify(execFile)(process.execPath, ["--input-type=module", "-e", script], { env });
    return (await run).stderr;
  }

  test("writes a line for each event", async () => {
    const lines = (await logged("balena-image-manager")).trim().split("\n");
    expect(lines.map((line) => line.replace(/^BALENA-IMAGE-MANAGER \d+: /, ""))).toEqual([
      "committed image=pi~6.1.0+rev1~ab size=5 durationMs=12.5 wireBytes=3",
      'failed image=pi~6.1.0~ab durationMs=1 wireBytes=0 cause="ECONNREFUSED: connect\\nrefused"',
      "resumed image=pi~6.1.0~ab fromByte=7 cause=undefined",
    ]);
  });

  test("of something else writes nothing", async () => {
    expect(await logged("http")).toBe("");
  });
});

test("no token gets into an event", async () => {
  const seen: unknown[] = [];
  const listener = (event: unknown) => void seen.push(event);
  subscribe("balena-image-manager", listener);
  const token = api.token;
  api.faults.assets.refuse = { status: 403, body: `no ${token}` };
  api.faults.refuse = { status: 500, body: `not with ${token}` };
  await rejection(managerWith(token).prefetch(slug, version));
  unsubscribe("balena-image-manager", listener);
  expect(seen.length).toBeGreaterThan(1);
  const { inspect } = await import("node:util");
  expect(inspect(seen, { depth: 20, showHidden: true })).not.toContain(token);
});
