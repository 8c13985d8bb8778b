// nginx in front of a server, configured as docs/serving.md says: what the page shows is what is tried.
import { mkdir, mkdtemp, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { accepts, freePort, settles } from "../../../scripts/services/daemon.ts";
import { startChild } from "./child.ts";

/** A running nginx with an empty cache. */
export interface Nginx extends AsyncDisposable {
  readonly url: string;
  /** What it said of failures. */
  errors(): Promise<string>;
}

/** Starts one: as the first block of the page has it, or with the second block's location in the place of the first's. */
export async function startNginx(
  parent: string,
  upstreamUrl: string,
  kind: "whole" | "sliced",
): Promise<Nginx> {
  const directory = await mkdtemp(join(parent, "nginx-"));
  const port = await freePort();
  const errorLog = join(directory, "error.log");
  await mkdir(join(directory, "cache"));
  const site = siteOf(await blocksOfPage(), kind);
  const settled = site
    .replace("/var/cache/nginx/images", join(directory, "cache"))
    .replace("listen 80;", `listen 127.0.0.1:${port};`)
    .replace("http://127.0.0.1:8080", upstreamUrl);
  await writeFile(join(directory, "nginx.conf"), around(directory, settled));
  const args = ["-e", errorLog, "-c", join(directory, "nginx.conf")];
  const child = startChild("nginx", args, { cwd: directory, signal: "SIGTERM" });
  const errors = () => readFile(errorLog, "utf8").catch(() => "");
  if (!(await settles(() => accepts(port), 10_000))) {
    await child.end();
    throw new Error(`nginx did not start: ${child.said()}`);
  }
  return { url: `http://127.0.0.1:${port}`, errors, [Symbol.asyncDispose]: child.end };
}

async function blocksOfPage(): Promise<string[]> {
  const page = await readFile(new URL("../../../docs/serving.md", import.meta.url), "utf8");
  return [...page.matchAll(/```nginx\n([\s\S]*?)```/g)].map(([, block = ""]) => block);
}

function siteOf([server = "", location = ""]: string[], kind: "whole" | "sliced"): string {
  if (kind === "whole") return server;
  const sliced = server.replace(/^ {4}location \/ \{[\s\S]*?^ {4}\}\n/m, () => location);
  if (sliced === server) throw new Error("docs/serving.md has no location for slices to take the place of");
  return sliced;
}

/** What Debian's nginx.conf says around a site, with every path in a directory of this test's own. */
function around(directory: string, site: string): string {
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
    (name) => `${name}_temp_path ${join(directory, name)};`,
  );
  return `
daemon off;
pid ${join(directory, "pid")};
${process.getuid?.() === 0 ? "user root;" : ""}
worker_processes 2;
events {}
http {
access_log off;
${temporary.join("\n")}
${site}
}
`;
}
