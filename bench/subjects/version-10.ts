// balena-image-manager 10.0.1 with the SDK that it brings, set to the loopback API and to a cache directory of its own.
import { once } from "node:events";
import { access, mkdir, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { image } from "../image.ts";
import { drain } from "./bytes.ts";
import type { OpenSubject } from "./subject.ts";

interface Version10 {
  get(deviceType: string, version: string, options?: object): Promise<Readable>;
}

/** Opens it. Its settings are read from the environment when it is loaded. */
export const version10: OpenSubject = async (setting) => {
  const cacheDirectory = join(setting.base, "cache");
  process.env["BALENARC_CACHE_DIRECTORY"] = cacheDirectory;
  const load = createRequire(import.meta.url);
  const dataDirectory = join(setting.base, "data");
  await mkdir(dataDirectory, { recursive: true });
  load("balena-sdk").setSharedOptions({ apiUrl: setting.upstream.url, dataDirectory });
  const manager: Version10 = load("balena-image-manager");
  const path = join(cacheDirectory, `${image.deviceType}-v${image.version}.img`);
  const get = async (options?: object) => manager.get(image.deviceType, image.version, options);
  return {
    async first(fileType) {
      // Without a file type the server packs on the fly and the SDK unpacks, which is how version 10 is used.
      const stream = await get(fileType === ".img" ? { fileType } : undefined);
      const ended = once(stream, "end");
      await drain(setting, stream);
      await ended;
      await isThere(path);
    },
    repeated: async () => drain(setting, await get()),
    clear: () => rm(cacheDirectory, { recursive: true, force: true }),
  };
};

/** The file gets its name a little after the stream has ended, and nothing tells when. */
async function isThere(path: string): Promise<void> {
  for (;;) {
    try {
      return await access(path);
    } catch {
      await sleep(1);
    }
  }
}
