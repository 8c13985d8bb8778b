/** Time and chance: one file of the core asks for them, and a test can give its own. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { describe, expect, onTestFinished, test } from "vitest";
import { type Clock, monotonicMs, processName, random, replaceClock, wallMs } from "../../src/core/clock.ts";
import { isRetired, newOwner, retireOwner } from "../../src/core/sharing/owner.ts";
import { pauseBeforeRetry } from "../../src/core/upstream/retry.ts";
import { sleep } from "../../src/core/waiting.ts";

const source = fileURLToPath(new URL("../../src", import.meta.url));
const core = join(source, "core");
const globals = ["performance", "setTimeout", "setInterval", "setImmediate", "clearTimeout", "clearInterval"];
const members = [
  "Date.now",
  "Math.random",
  "crypto.randomUUID",
  "crypto.getRandomValues",
  "AbortSignal.timeout",
];

/** What in a file asks the platform for time or chance; comments and strings do not. */
function asksOf(text: string): string[] {
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isIdentifier(node) && globals.includes(node.text)) found.push(node.text);
    if (ts.isPropertyAccessExpression(node) && members.includes(node.getText())) found.push(node.getText());
    const isDateOfNow = ts.isNewExpression(node) && node.expression.getText() === "Date";
    if (isDateOfNow && !node.arguments?.length) found.push("new Date()");
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile("a.ts", text, ts.ScriptTarget.Latest, true));
  return found;
}

async function textsOf(directory: string): Promise<{ name: string; text: string }[]> {
  const names = (await readdir(directory, { recursive: true })).filter((name) => name.endsWith(".ts"));
  return Promise.all(
    names.map(async (name) => ({ name, text: await readFile(join(directory, name), "utf8") })),
  );
}

describe("time and chance", () => {
  test("are asked for by clock.ts alone", async () => {
    const asking = (await textsOf(core)).filter(({ text }) => asksOf(text).length > 0);
    expect(asking.map(({ name }) => name)).toEqual(["clock.ts"]);
  });

  test("are asked for by the adapters through it, but for streams, sockets and threads of Node", async () => {
    const asking = (await textsOf(join(source, "adapters"))).filter(({ text }) => asksOf(text).length > 0);
    const others = asking
      .map(({ name }) => name.replaceAll("\\", "/"))
      .filter((name) => !/^(node\/(serve|flash)|v10)/.test(name));
    expect(others).toEqual([]);
  });

  test("are replaced by no file of the product", async () => {
    const replacing = (await textsOf(source)).filter(({ text }) => /\breplaceClock\b/.test(text));
    expect(replacing.map(({ name }) => name)).toEqual([join("core", "clock.ts")]);
  });

  test.each([
    "const at = Date.now();",
    "const { now = Date.now } = options;",
    "const at = new Date();",
    "performance.now();",
    "let timer: ReturnType<typeof setTimeout>;",
    "Math.random();",
    "crypto.randomUUID();",
    "AbortSignal.timeout(5);",
  ])("the check sees %s", (line) => {
    expect(asksOf(line)).not.toEqual([]);
  });

  test.each(["new Date(5);", "// Date.now()", 'const text = "Math.random()";', "clock.now();"])(
    "the check allows %s",
    (line) => expect(asksOf(line)).toEqual([]),
  );
});

describe("another clock", () => {
  const waits: number[] = [];
  const other: Clock = {
    wallMs: () => 1_000,
    monotonicMs: () => 7,
    startTimer(run, delayMs) {
      waits.push(delayMs);
      queueMicrotask(run);
      return 0 as never;
    },
    startInterval: () => 0 as never,
    stopTimer: () => undefined,
    random: () => 0.5,
    randomBytes: (length) => new Uint8Array(length),
    randomName: () => "name",
    processName: () => "process",
  };
  const replace = (): (() => void) => {
    waits.length = 0;
    const restore = replaceClock(other);
    onTestFinished(restore);
    return restore;
  };

  test("is the only one until it is taken back", () => {
    const restore = replace();
    expect([wallMs(), monotonicMs(), random(), processName()]).toEqual([1_000, 7, 0.5, "process"]);
    restore();
    expect(wallMs()).not.toBe(1_000);
    expect(processName()).toMatch(/^[0-9a-f-]{36}$/);
    expect(processName()).toBe(processName());
  });

  test("wakes sleepers, and its chance is the jitter of retries", async () => {
    replace();
    await sleep(3_600_000);
    const policy = { attempts: 3, minDelayMs: 1_000, maxDelayMs: 60_000, idleTimeoutMs: 1 };
    await pauseBeforeRetry(policy, 3, undefined, new AbortController().signal);
    expect(waits).toEqual([3_600_000, 3_000]);
  });

  test("names the owners of leases", () => {
    replace();
    const owner = newOwner();
    expect(owner).toBe("process~name");
    expect(isRetired(owner)).toBe(false);
    retireOwner(owner);
    expect(isRetired(owner)).toBe(true);
  });
});
