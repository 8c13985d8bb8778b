// The image manager over plain files, with images that are configured here: what a get of one costs, against a get of the plain image.
import { balenaApiSource } from "../../src/adapters/balena-api/index.ts";
import { bootFiles } from "../../src/adapters/boot-files/index.ts";
import { fsAdapter } from "../../src/adapters/fs/index.ts";
import { nodeHash, nodeInflate } from "../../src/adapters/node/index.ts";
import { createImageManager, type GetOptions } from "../../src/core/index.ts";
import { image } from "../image.ts";
import { drain } from "./bytes.ts";
import type { ConfiguredKind, OpenSubject } from "./subject.ts";

const wifi = { network: "wifi", wifiSsid: "station", wifiKey: "correct horse" } as const;

/** What is asked for. */
export const configuredOptions: Readonly<Record<ConfiguredKind, GetOptions>> = {
  plain: {},
  development: { developmentMode: true },
  fleet: { appId: 12, ...wifi, edit: bootFiles({ "keys/device.pem": "k".repeat(2000) }) },
};

/** All kinds come from one plain image, which `first` downloads. */
export const oursConfigured: OpenSubject = async (setting) => {
  const { url, token } = setting.upstream;
  const manager = createImageManager({
    source: balenaApiSource({ apiUrl: url, token }),
    storage: fsAdapter({ base: setting.base }),
    inflate: nodeInflate,
    hash: nodeHash,
    freshness: { maxAgeMs: Number.POSITIVE_INFINITY },
  });
  const free = ({ buffer }: Uint8Array) => void (buffer as ArrayBuffer).transfer(0);
  const get = async (kind: ConfiguredKind) => {
    const stream = await manager.get(image.deviceType, image.version, configuredOptions[kind]);
    await drain(setting, stream, free);
    return stream.committed();
  };
  return {
    async first() {
      if (!(await get("plain"))) throw new Error("The image was not committed");
    },
    configured: async (kind) => void (await get(kind)),
    clear: () => manager.cleanCache(),
    close: () => manager.close(),
  };
};
