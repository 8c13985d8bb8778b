// Has balena's etcher-sdk, which its image maker is built on, make a `.gz` from release assets: task as JSON on stdin, the file on stdout.
import { Console } from "node:console";
import Module, { createRequire } from "node:module";
import { text } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";

/** What is to be made. */
export interface MakeTask {
  /** Links of the assets, by key. */
  readonly urls: Readonly<Record<string, string>>;
  readonly deviceType: string;
  readonly configuration?: Readonly<Record<string, unknown>>;
  /** The time that every clock in this process shows. */
  readonly nowMs: number;
}

interface UrlCompressedSource {
  open(): Promise<void>;
  createReadStream(): Promise<NodeJS.ReadableStream>;
}
type SourceClass = new (options: object) => UrlCompressedSource;

globalThis.console = new Console(process.stderr); // stdout is for the file
const task = JSON.parse(await text(process.stdin)) as MakeTask;
stopClock(task.nowMs);
const isPart = ([key]: [string, string]) => key.startsWith("compressed/");
const links = Object.entries(task.urls);
const parts = links.filter(isPart).map(([key, url]) => [key.slice("compressed/".length), url]);
const source = new (loadSource())({
  urls: {
    ...Object.fromEntries(links.filter((link) => !isPart(link))),
    parts: Object.fromEntries(parts),
  },
  format: "gzip",
  filenamePrefix: "balena",
  buildId: "6.1.0",
  deviceType: task.deviceType,
  configuration: task.configuration,
});
await source.open();
await pipeline(await source.createReadStream(), process.stdout);

/** Its native access to disks is not on the way, and not built where no script of a package may run. */
function loadSource(): SourceClass {
  const loader = Module as unknown as { _load(request: string, ...rest: unknown[]): unknown };
  const load = loader._load;
  loader._load = (request, ...rest) =>
    request === "@ronomon/direct-io" ? {} : load.call(loader, request, ...rest);
  const require = createRequire(import.meta.url);
  return require("etcher-sdk/build/source-destination/url-compressed-source.js").URLCompressedSource;
}

function stopClock(nowMs: number): void {
  const RealDate = Date;
  globalThis.Date = class extends RealDate {
    constructor(...when: []) {
      if (when.length === 0) super(nowMs);
      else super(...when);
    }

    static override now(): number {
      return nowMs;
    }
  } as DateConstructor;
}
