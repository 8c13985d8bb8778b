// curl: how it is called, and what it says of the answer.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { ended, runClient } from "../run/check.ts";

/** An answer as curl saw it. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  /** File with the body. */
  readonly file: string;
}

const [bodyFile, headerFile] = ["body", "headers"];

/** Asks, and holds curl to success; the body goes to a file of the directory unless the arguments say otherwise. */
export async function curl(directory: string, url: string, ...args: string[]): Promise<Answer> {
  const result = await curlEnding(0, directory, url, ...args);
  return { ...result, headers: lastHeaders(await readFile(join(directory, headerFile), "latin1")) };
}

/** As `curl`, but held to an exit code; there may be no answer at all. */
export async function curlEnding(
  exitCode: number,
  directory: string,
  url: string,
  ...args: string[]
): Promise<Omit<Answer, "headers">> {
  const output = args.some((arg) => /^-[OI]/.test(arg)) ? [] : ["-o", bodyFile];
  const result = await runClient(
    "curl",
    ["-sS", "-D", headerFile, "-w", "%{stderr}%{http_code}", ...output, ...args, url],
    directory,
  );
  ended(result, exitCode);
  return { status: Number(/\d{3}$/.exec(result.stderr)?.[0]), file: join(directory, bodyFile) };
}

/** Of the last of several answers, after redirects. */
function lastHeaders(text: string): Headers {
  const last = text.trim().split("\r\n\r\n").at(-1) ?? "";
  const lines = last.split("\r\n").slice(1);
  return new Headers(lines.map((line) => line.split(/:\s*(.*)/s).slice(0, 2) as [string, string]));
}
