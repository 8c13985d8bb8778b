// Runs inside the project that has the package installed: loads it in both formats, uses it, and prints what it saw as JSON.
import { createRequire } from "node:module";
import { gzipSync } from "node:zlib";

const require = createRequire(import.meta.url);
const [name, ...subpaths] = process.argv.slice(2);
const specifiers = subpaths.map((subpath) => name + subpath.slice(1));

/** Every subpath in one format. */
async function loadAll(load) {
  const modules = await Promise.all(specifiers.map(load));
  return Object.fromEntries(modules.map((module, index) => [subpaths[index], module]));
}

function exportsOf(modules) {
  const kinds = (module) => Object.entries(module).map(([key, value]) => `${typeof value} ${key}`);
  return Object.fromEntries(
    Object.entries(modules).map(([subpath, module]) => [subpath, kinds(module).sort()]),
  );
}

/** An error of each subpath that throws any. */
function errorsOf(modules) {
  const wrong = [
    () => modules["./adapters/memory"].memoryAdapter({ maxBytes: -1 }),
    () => modules["./adapters/fs"].fsAdapter({}),
    () => modules["./adapters/balena-sdk"].balenaSdkSource({ token: "a b" }),
  ];
  return wrong.map((run) => {
    try {
      return run();
    } catch (error) {
      return error;
    }
  });
}

/** Gets an image twice through a store on the disk, from an upstream that is two functions. */
async function roundTrip(modules, base) {
  const image = Buffer.alloc(3_000_000, "image ");
  const statuses = [];
  const source = {
    id: "https://api.example",
    resolveDeviceType: async (slug) => slug,
    versions: async () => [{ version: "1.2.3", line: "default", draft: false }],
    request: async () => ({ url: "https://api.example/image.gz", gzip: true }),
  };
  const fetch = async (_url, { headers }) => {
    const isKnown = headers.get("if-none-match") === '"one"';
    statuses.push(isKnown ? 304 : 200);
    return new Response(isKnown ? null : gzipSync(image), {
      status: statuses.at(-1),
      headers: { etag: '"one"' },
    });
  };
  const images = modules["."].createImageManager({
    source,
    fetch,
    storage: modules["./adapters/fs"].fsAdapter({ base }),
    chunkBytes: 1024 * 1024,
    inflate: modules["./node"].nodeInflate,
  });
  const gets = [];
  for (const _ of [1, 2]) {
    const stream = await images.get("some-type", "^1.0.0");
    const bytes = Buffer.from(await new Response(stream).arrayBuffer());
    await stream.committed();
    gets.push({ origin: stream.origin, isRight: bytes.equals(image) });
  }
  await images.close();
  return { gets, statuses };
}

const formats = {
  import: await loadAll((specifier) => import(specifier)),
  require: await loadAll(async (specifier) => require(specifier)),
};
const errors = { import: errorsOf(formats.import), require: errorsOf(formats.require) };
const report = {};
for (const [format, other] of [
  ["import", "require"],
  ["require", "import"],
]) {
  const { InvalidArgumentError, isImageManagerError } = formats[format]["."];
  report[format] = {
    exports: exportsOf(formats[format]),
    areOwnErrorsInstances: errors[format].map((error) => error instanceof InvalidArgumentError),
    areOtherErrorsInstances: errors[other].map((error) => error instanceof InvalidArgumentError),
    areOtherErrorsRecognized: errors[other].map(isImageManagerError),
    isStrangerRecognized: isImageManagerError(new Error("stranger")),
    roundTrip: await roundTrip(formats[format], `store-${format}`),
  };
}
console.log(JSON.stringify(report));
