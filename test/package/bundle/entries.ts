// Small programs, one for each subpath, that bundlers bundle: each makes an error of the subpath and uses it as far as that needs no server.
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import manifest from "../../../package.json" with { type: "json" };

/** What such a program prints. */
export interface BundleReport {
  /** Names that the subpath exports. */
  readonly exports: string[];
  /** The error that `wrong` made. */
  readonly error: {
    name: string;
    code: string;
    className: string;
    isOwnClass: boolean;
    isOtherClass: boolean;
  };
  /** What `use` came to: its value, or the code of its error. */
  readonly used: unknown;
}

/** What is done with a subpath: the names of its exports are in scope as `it`, those of the package as `main`. */
interface Subpath {
  /** Makes an error of the class `InvalidArgumentError`, or of the one that is named. */
  readonly wrong: string;
  readonly errorClass?: string;
  /** Loads the subpath's client, if it has one, and needs no server. */
  readonly use: string;
  readonly used: unknown;
  /** It needs Node's modules: a Worker has them only if it asks for them. */
  readonly needsNode?: boolean;
}

const nobody = "http://127.0.0.1:1";
const credentials =
  '{ bucket: "bucket", region: "r", accessKeyId: "a", secretAccessKey: "s", fetch: async () => new Response("a") }';

/** Every subpath has an entry: a new one is bundled too. */
export const subpaths: Readonly<Record<string, Subpath>> = {
  ".": {
    wrong: "it.createImageManager({})",
    use: "roundTrip(main, memory, http)",
    used: "network, cache, 200",
  },
  "./adapters/memory": {
    wrong: "it.memoryAdapter({ maxBytes: -1 })",
    use: 'it.memoryAdapter().getItemRaw("a", {})',
    used: null,
  },
  "./adapters/fs": {
    wrong: "it.fsAdapter({})",
    use: 'it.fsAdapter({ base: "no-such-directory" }).getItemRaw("a", {})',
    used: null,
    needsNode: true,
  },
  "./adapters/s3": {
    wrong: "it.s3Adapter({})",
    use: `it.s3Adapter(${credentials}).getItemRaw("a", {}).then(String)`,
    used: "97",
  },
  "./adapters/redis": {
    wrong: "it.redisAdapter({})",
    // Its client keeps a process alive until it is disposed.
    use: 'then(it.redisAdapter({ url: "redis://127.0.0.1:1" }), (store) => store.getItemRaw("a", {}).catch(({ message }) => message.split(":")[0]).finally(store.dispose))',
    used: "No answer from Redis",
    needsNode: true,
  },
  "./adapters/cloudflare-r2": {
    wrong: "it.r2Adapter({})",
    use: 'it.r2Adapter({ binding: bucket }).getItemRaw("a", {})',
    used: null,
  },
  "./adapters/azure-blob": {
    wrong: "it.azureBlobAdapter({})",
    use: `it.azureBlobAdapter({ url: "${nobody}/account/images?sig=x" }).getItemRaw("a", {}).catch(({ message }) => message.split(":")[0])`,
    used: 'Azure could not be reached for a read of "a"',
    needsNode: true,
  },
  "./adapters/tiered": {
    wrong: "it.tieredAdapter({})",
    use: 'it.tieredAdapter({ near: memory.memoryAdapter(), far: memory.memoryAdapter() }).getItemRaw("a", {})',
    used: null,
  },
  "./adapters/balena-sdk": {
    wrong: 'it.balenaSdkSource({ token: "a b" })',
    use: `it.balenaSdkSource({ apiUrl: "${nobody}", token: "abc" }).versions("intel-nuc", {})`,
    used: "UPSTREAM",
    needsNode: true,
  },
  "./adapters/balena-api": {
    wrong: 'it.balenaApiSource({ token: "a b" })',
    use: `it.balenaApiSource({ apiUrl: "${nobody}" }).versions("intel-nuc", {})`,
    used: "UPSTREAM",
  },
  "./adapters/mirror": {
    wrong: "it.mirrorSource({})",
    use: `it.mirrorSource({ url: "${nobody}" }).versions("intel-nuc", {})`,
    used: "UPSTREAM",
  },
  "./boot-files": {
    wrong: "it.bootFiles(null)",
    use: 'typeof it.bootFiles({ "a.txt": "a" })',
    used: "function",
  },
  "./http": {
    wrong: "it.createImageHandler({})",
    use: "roundTrip(main, memory, it)",
    used: "network, cache, 200",
  },
  "./node": {
    wrong: "it.requestListener(null)",
    use: "typeof it.nodeInflate().readable",
    used: "object",
    needsNode: true,
  },
  "./v10": {
    wrong: 'it.validateVersion("x")',
    errorClass: "InvalidVersionError",
    use: 'it.get("no device type!")', // it opens the SDK first
    used: "INVALID_ARGUMENT",
    needsNode: true,
  },
};

/** Of every subpath of the package. */
export const exported = Object.keys(manifest.exports).filter((path) => !path.endsWith(".json"));

/** `./adapters/s3` is `adapters-s3`. */
export function entryName(subpath: string): string {
  return subpath === "." ? "index" : subpath.slice(2).replaceAll("/", "-");
}

/** Writes the programs into a project; `only` chooses the subpaths. */
export async function writeEntries(directory: string): Promise<void> {
  await mkdir(directory);
  await writeFile(join(directory, "round-trip.js"), roundTrip);
  await Promise.all(
    exported.flatMap((subpath) => [
      writeFile(
        join(directory, `${entryName(subpath)}.mjs`),
        `${programOf(subpath)}main$().then((report) => console.log(JSON.stringify(report)));\n`,
      ),
      writeFile(
        join(directory, `${entryName(subpath)}.worker.mjs`),
        `${programOf(subpath)}export default { fetch: async () => Response.json(await main$()) };\n`,
      ),
    ]),
  );
}

function programOf(subpath: string): string {
  const {
    wrong = "undefined",
    use = "undefined",
    errorClass = "InvalidArgumentError",
  } = subpaths[subpath] ?? {};
  return `import * as main from "${manifest.name}";
import * as it from "${manifest.name}${subpath.slice(1)}";
import * as memory from "${manifest.name}/adapters/memory";
import * as http from "${manifest.name}/http";
import { roundTrip } from "./round-trip.js";
const bucket = { head() {}, get: async () => null, put() {}, delete() {}, list() {} };
const then = (value, use) => use(value);
const codeOf = (error) => error?.code ?? String(error);
async function main$() {
  let error;
  try { await (${wrong}); } catch (thrown) { error = thrown; }
  const used = await (async () => ${use})().catch(codeOf);
  return {
    exports: Object.keys(it).sort(),
    error: { name: error?.name, code: error?.code, className: error?.constructor.name,
      isOwnClass: error instanceof main.${errorClass} && error instanceof main.ImageManagerError,
      isOtherClass: error instanceof main.StoreError },
    used: used ?? null,
  };
}
`;
}

/** Downloads an image, reads it from the store, and serves it. The upstream is two functions. */
const roundTrip = `export async function roundTrip(main, memory, http) {
  const image = new Uint8Array(600_000).fill(7);
  const source = {
    id: "https://api.example",
    resolveDeviceType: async (slug) => slug,
    versions: async () => [{ version: "1.2.3", line: "default", draft: false }],
    request: async () => ({ url: "https://api.example/image.img", gzip: false }),
  };
  const fetch = async () => new Response(image, { headers: { etag: '"one"', "content-length": String(image.length) } });
  const images = main.createImageManager({ source, fetch, storage: memory.memoryAdapter(), maxBytes: 1e9, freshness: { maxAgeMs: 60_000 } });
  const seen = [];
  for (const _ of [1, 2]) {
    const stream = await images.get("some-type", "^1.0.0");
    const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
    await stream.committed();
    seen.push(bytes.length === image.length && bytes.every((byte) => byte === 7) ? stream.origin : "wrong bytes");
  }
  const answer = await http.createImageHandler(images)(new Request("http://localhost/images/some-type/1.2.3"));
  seen.push(answer.status);
  await answer.body?.cancel();
  await images.close();
  return seen.join(", ");
}
`;
