// Compiled by every TypeScript in a project that has the package alone, as an ES module and as a CommonJS one; never run.
import {
  createImageManager,
  type ImageEdit,
  type ImageManagerErrorCode,
  type ImageSource,
  type ImageStream,
  InvalidArgumentError,
  isImageManagerError,
  type StoreDriver,
  VersionNotFoundError,
} from "balena-image-manager";
import { balenaSdkSource } from "balena-image-manager/adapters/balena-sdk";
import { fsAdapter } from "balena-image-manager/adapters/fs";
import { memoryAdapter } from "balena-image-manager/adapters/memory";
import { mirrorSource } from "balena-image-manager/adapters/mirror";
import { redisAdapter } from "balena-image-manager/adapters/redis";
import { bootFiles, wifiConnection } from "balena-image-manager/boot-files";
import { nodeHash, nodeInflate } from "balena-image-manager/node";
import { get } from "balena-image-manager/v10";

export async function use(): Promise<string | undefined> {
  const source: ImageSource = balenaSdkSource({ apiUrl: "https://api.balena-cloud.com" });
  const other: ImageSource = mirrorSource({
    url: "https://images.example.com/os",
    token: async () => "token",
  });
  other.id.length.toFixed();
  const redis = redisAdapter({ url: "redis://localhost", connection: { family: 6, tls: {} } });
  const stores: StoreDriver[] = [fsAdapter({ base: "./images" }), memoryAdapter(), redis];
  const images = createImageManager({
    source,
    storage: stores[0]!,
    fetch,
    inflate: nodeInflate,
    hash: nodeHash,
  });
  const edit: ImageEdit = bootFiles({
    "config.json": { hostname: "station-7" },
    "system-connections/office": wifiConnection({ ssid: "office" }),
  });
  try {
    const image: ImageStream = await images.get("raspberrypi4-64", "^6.0.0", { developmentMode: true, edit });
    image.edited?.startsWith("new");
    for await (const bytes of image) bytes.byteLength.toFixed();
    (await get("raspberrypi4-64")).on("end", () => new Response(image).body?.cancel());
    return (await image.committed())?.etag;
  } catch (error) {
    if (error instanceof VersionNotFoundError) return error.nearest;
    if (error instanceof InvalidArgumentError || !isImageManagerError(error)) throw error;
    const code: ImageManagerErrorCode = error.code;
    // @ts-expect-error: the codes are a union, not just any string
    if (code === "NO_SUCH_CODE") return undefined;
    return code;
  }
}
