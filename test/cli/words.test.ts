// What is written, what is wrong with it, and what a failure is to a shell.
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, open, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";
import { commands } from "../../src/cli/commands.ts";
import { exitCodes } from "../../src/cli/exit-code.ts";
import { bytesText } from "../../src/cli/output.ts";
import { loginFor } from "../../src/cli/surroundings.ts";
import { bytesIn, parse } from "../../src/cli/usage.ts";
import { binPath, startCommand } from "../support/command.ts";
import { sharedApi, slug, version } from "../support/shared-api.ts";

const api = await sharedApi({ imageBytes: 1024 * 1024, assets: true });
const nobody = "http://127.0.0.1:9";

const root = await mkdtemp(join(tmpdir(), "command-words-"));
afterAll(() => rm(root, { recursive: true }));

let home: string;
beforeEach(async () => {
  home = await mkdtemp(join(root, "home-"));
});

/** To its end. No output may ever tell a secret. */
async function run(args: readonly string[], env: Record<string, string> = {}, stdout?: number) {
  const place = {
    cwd: home,
    env: { BALENARC_API_URL: api.url, ...env },
    ...(stdout !== undefined && { stdout }),
  };
  const end = await startCommand(args, place).end;
  const text = end.stdout.toString();
  for (const secret of [api.token, "hunter2hunter2"]) expect(text + end.stderr).not.toContain(secret);
  return { code: end.code, stdout: text, stderr: end.stderr };
}

describe("help", () => {
  test.each([[[]], [["--help"]], [["-h"]]])("%o names every command", async (words) => {
    const { code, stdout } = await run(words);
    expect(code).toBe(0);
    for (const name of Object.keys(commands)) expect(stdout).toMatch(new RegExp(`^ {2}${name} +\\w`, "m"));
  });

  test("of a command says its arguments and options", async () => {
    const { code, stdout } = await run(["get", "--help"]);
    expect(code).toBe(0);
    expect(stdout).toContain("balena-image-manager get TYPE [VERSION] [options]\n");
    expect(stdout).toMatch(/^ {2}-o, --output FILE +file to write/m);
    expect(stdout).not.toContain("--repair");
  });

  test("--version says the package's", async () => {
    const { version: own } = JSON.parse(
      await readFile(new URL("../../package.json", import.meta.url), "utf8"),
    );
    expect(await run(["--version"])).toEqual({ code: 0, stdout: `${own}\n`, stderr: "" });
  });
});

describe("wrong words", () => {
  test.each([
    [["frobnicate"], 'There is no command "frobnicate"'],
    [["toString"], 'There is no command "toString"'],
    [["get"], "Write: balena-image-manager get TYPE [VERSION] [options]"],
    [["get", "a", "1.0.0", "b"], "Write: balena-image-manager get"],
    [["get", slug, "-o"], "argument missing"],
    [["get", slug, "-o", "a", "--colour"], "Unknown option '--colour'"],
    [["list", "--repair"], "list takes no --repair"],
  ])("%o are refused", (words, said) => {
    expect(() => parse(words)).toThrow(said);
    expect(() => parse(words)).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
  });

  test.each([
    [["frobnicate"], "no command"],
    [["get", slug], "get needs -o FILE"],
    [["get", slug, "not a version", "-o", "a"], "not a version"],
    [["get", slug, "-o", "a", "--image-type", "cooked"], "imageType"],
    [["get", slug, "-o", "a", "--max-bytes", "plenty"], '"plenty" is no size'],
    [["prune", "--unused-days", ""], "unusedForMs"],
    [["serve"], "serve needs --max-bytes"],
    [["serve", "--max-bytes", "1GB", "--port", "http"], "port"],
    [["list", "--store", "azure://user:hunter2hunter2@host/x"], "not azure://"],
    [["list", "--store", "s3://bucket/x"], "AWS_ACCESS_KEY_ID"],
    [["list", "--store", "redis://:hunter2hunter2@host:port"], "redis"],
    [["versions", slug, "--api-url", "not a url"], "URL"],
  ])("%o end with 2, and nothing is asked", async (words, said) => {
    const { code, stdout, stderr } = await run(words);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toMatch(/^balena-image-manager: .+ \(INVALID_(ARGUMENT|VERSION)\)\n$/);
    expect(stderr).toContain(said);
    expect(api.counters.requests).toBe(0);
  });
});

describe("failures", () => {
  const token = { BALENA_TOKEN: "hunter2hunter2" };
  test.each([
    [3, "DEVICE_TYPE_NOT_FOUND", ["versions", "nothing-such"], {}],
    [3, "VERSION_NOT_FOUND", ["get", slug, "9.9.9", "-o", "a"], {}],
    [3, "NOT_CACHED", ["get", slug, version, "-o", "a", "--cache", "only-if-cached"], {}],
    [4, "UNAUTHORIZED", ["get", slug, version, "-o", "a"], token],
    [6, "STORE", ["get", slug, version, "-o", "/proc/sys/a.img"], {}],
    [6, "STORE", ["prefetch", slug, version, "--store", "/proc/sys/store"], {}],
  ])("%i: %s", async (exitCode, code, words, env) => {
    const end = await run(words, env);
    expect(end).toMatchObject({ code: exitCode, stdout: "" });
    expect(end.stderr.trimEnd()).toMatch(new RegExp(`^balena-image-manager: .+ \\(${code}\\)$`, "m"));
  });

  test("5: UPSTREAM, and as JSON", async () => {
    api.faults.metadata.refuse = { status: 418 };
    const { code, stdout, stderr } = await run(["versions", slug, "--json"]);
    expect([code, stdout]).toEqual([5, ""]);
    const error = { code: "UPSTREAM", exitCode: 5, message: expect.stringContaining("418") };
    expect(JSON.parse(stderr)).toEqual({ error });
  });

  test("a store that can't be written costs a warning, not the image", async () => {
    const { code, stderr } = await run(["get", slug, version, "-o", "a.img", "-s", "/proc/sys/store"]);
    expect(code).toBe(0);
    expect(stderr).toMatch(/^The store failed: .+\n$/); // once
    expect((await readFile(join(home, "a.img"))).length).toBe(1024 * 1024);
  });

  test("an output that is full", async () => {
    const full = await open("/dev/full", "w");
    onTestFinished(() => full.close());
    for (const words of [
      ["get", slug, version, "-o", "-"],
      ["versions", slug],
    ])
      expect(await run(words, {}, full.fd)).toMatchObject({
        code: 6,
        stderr: expect.stringContaining("ENOSPC"),
      });
  });

  test("the page has every exit code", async () => {
    const page = await readFile(new URL("../../docs/command-line.md", import.meta.url), "utf8");
    const row = (code: number) => page.split("\n").find((line) => line.startsWith(`| ${code} `)) ?? "";
    for (const [name, code] of Object.entries(exitCodes)) if (code !== 1) expect(row(code)).toContain(name);
    for (const name of Object.keys(commands)) expect(page).toContain(`\`${name}`);
  });
});

describe("the login", () => {
  /** Private: only the account sees its versions. */
  const versions = (env: Record<string, string> = {}, ...more: string[]) =>
    run(["versions", "acme-gateway", ...more], env);
  const login = async (directory: string) => {
    await mkdir(directory, { recursive: true });
    await writeFile(join(directory, "token"), `${api.token}\n`);
  };

  test("is that of the balena CLI, or of BALENA_TOKEN", async () => {
    expect((await versions()).code).toBe(3);
    expect((await versions({ BALENA_TOKEN: api.token })).code).toBe(0);
    await login(join(home, ".balena"));
    expect((await versions()).code).toBe(0);
    await login(join(home, "other"));
    expect((await versions({ BALENARC_DATA_DIRECTORY: join(home, "other"), HOME: root })).code).toBe(0);
  });

  test("goes to no API but its own", async () => {
    await login(join(home, ".balena"));
    const sent = () => api.counters.requestLog.filter(({ headers }) => headers.authorization !== undefined);
    await versions({ BALENARC_API_URL: nobody }, "--api-url", api.url);
    await writeFile(join(home, ".balenarc.yml"), "balenaUrl: 'other.invalid'\n");
    await versions({ BALENARC_API_URL: "" }, "--api-url", api.url);
    expect(api.counters.requests).toBeGreaterThan(0);
    expect(sent()).toEqual([]);
    await versions({}, "--api-url", `${api.url}/`);
    expect(sent().length).toBeGreaterThan(0);
  });

  test("the API is that of a variable, of a file, or balenaCloud", async () => {
    const here = process.cwd();
    onTestFinished(() => {
      vi.unstubAllEnvs();
      process.chdir(here);
    });
    for (const name of Object.keys(process.env).filter((name) => /^BALENA/.test(name)))
      vi.stubEnv(name, undefined);
    vi.stubEnv("HOME", home);
    process.chdir(home);
    const url = async () => (await loginFor(undefined)).apiUrl;
    expect(await url()).toBe("https://api.balena-cloud.com");
    await writeFile(join(home, ".balenarc.yml"), "a: 1\nbalenaUrl: home.example # ours\n");
    expect(await url()).toBe("https://api.home.example");
    await writeFile(join(home, "balenarc.yml"), 'balenaUrl: "here.example"\n');
    expect(await url()).toBe("https://api.here.example");
    vi.stubEnv("BALENARC_BALENA_URL", "variable.example");
    expect(await url()).toBe("https://api.variable.example");
    vi.stubEnv("BALENARC_API_URL", "https://own.example");
    expect(await url()).toBe("https://own.example");
  });

  test("a stored token that is none is refused without being told", async () => {
    await mkdir(join(home, ".balena"));
    await writeFile(join(home, ".balena/token"), "hunter2hunter2 and more");
    expect(await versions()).toMatchObject({ code: 2, stderr: expect.stringContaining("token") });
  });
});

describe("the store", () => {
  test("is that of a variable, or lies in balena's cache", async () => {
    await run(["prefetch", slug, version]);
    const store = join(home, ".balena/cache/balena-image-manager");
    expect((await run(["list"], { BALENA_IMAGE_STORE: store })).stdout).toContain(slug);
    expect((await run(["list"], { BALENA_IMAGE_STORE: "./other" })).stdout).toBe("");
    expect((await run(["list", "-s", store])).stdout).toContain(slug);
  });

  test("a Redis that is away is said without its password", async () => {
    const { code, stderr } = await run(["list", "-s", "redis://:hunter2hunter2@127.0.0.1:9"]);
    expect([code, stderr]).toEqual([6, expect.stringContaining("(STORE)")]);
  });
});

describe("progress", () => {
  /** With a terminal, which `script` makes. */
  const onTerminal = async (env: Record<string, string>) => {
    const words = `${process.execPath} ${binPath} get ${slug} ${version} -o a.img -s ./store`;
    const own = { PATH: process.env["PATH"], HOME: home, BALENARC_API_URL: api.url, TERM: "xterm", ...env };
    const { stdout } = await promisify(execFile)("script", ["-qec", words, "/dev/null"], {
      cwd: home,
      env: own,
    });
    return stdout;
  };

  test("is a bar on a terminal, and nothing in CI", async () => {
    expect(await onTerminal({})).toMatch(/=+-* +\d+ %/);
    expect(await onTerminal({ CI: "true" })).not.toMatch(/%/);
  });
});

test("sizes are read as they are written", () => {
  expect(["1000", "50GB", "1.5kB", "20GiB", "1M", "2mib"].map(bytesIn)).toEqual([
    ...[1000, 50e9, 1500, 20 * 2 ** 30, 1e6, 2 * 2 ** 20],
  ]);
  for (const text of ["", "GB", "-1", "1 2", "1e3", "5PB"]) expect(() => bytesIn(text)).toThrow("no size");
  expect([0, 999, 1000, 1_949_000, 5e15].map(bytesText)).toEqual([
    "0 B",
    "999 B",
    "1.0 kB",
    "1.9 MB",
    "5000.0 TB",
  ]);
});
