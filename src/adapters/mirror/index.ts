/**
 * Images of another manager, for sites with thin lines: only the chunks that the site lacks travel. It needs only the web platform.
 *
 * @module balena-image-manager/adapters/mirror
 */
import { bounds } from "../../core/bounds.ts";
import { assertDeviceType, assertDeviceTypeName } from "../../core/device-type.ts";
import { sha256HexOfText } from "../../core/digest.ts";
import type { ImageSource, OsVersion, SourceOptions } from "../../core/types.ts";
import { mirrorClient, type Question } from "./client.ts";
import { localDeriver } from "./derive.ts";
import { type Described, describedImage } from "./described-image.ts";
import { factsIn } from "./facts.ts";
import { checkedOptions, type MirrorSourceOptions } from "./options.ts";

export type { MirrorSourceOptions };

/**
 * Creates a source over the HTTP handler of another manager, which must have the option `mirror`. Versions, freshness and identities are those
 * of that manager. It sends nothing before the first call.
 *
 * The other manager downloads an image before it describes it, so the first get of an image waits for that. Development mode and Wi-Fi are
 * written into the plain image here. Images of a fleet (`appId`) are refused: lay the fleet's `config.json` over the plain image with `edit`.
 *
 * Redirects are refused, so that no token leaves the mirror's origin. Errors contain no token.
 *
 * @throws `INVALID_ARGUMENT` if an option is wrong.
 *
 * @example
 * ```ts
 * import { createImageManager } from "balena-image-manager";
 * import { memoryAdapter } from "balena-image-manager/adapters/memory";
 * import { mirrorSource } from "balena-image-manager/adapters/mirror";
 *
 * const source = mirrorSource({ url: "https://images.example.com/os" });
 * const images = createImageManager({ source, storage: memoryAdapter() });
 * console.log(source.id);
 * await images.close();
 * ```
 */
export function mirrorSource(options: MirrorSourceOptions): ImageSource {
  const checked = checkedOptions(options);
  const { sourceId } = checked;
  const client = mirrorClient(checked);
  const described: Described = new Map();
  const factsOf = async (question: Omit<Question, "maxBytes">) => {
    const { bytes } = await client.ask({ ...question, maxBytes: bounds.lookUpBytes });
    return factsIn(bytes, sourceId);
  };
  const ownerOf = async (options: SourceOptions) => {
    const { scope } = await factsOf({ action: "ask whose images it has", path: "", ...options });
    return (scope ?? undefined) as string | undefined;
  };

  return {
    id: sourceId,
    derive: localDeriver(sourceId),
    scope: async () => ({ digest: await sha256HexOfText(await client.credentials()), confirm: ownerOf }),

    async resolveDeviceType(slugOrAlias, options) {
      assertDeviceTypeName(slugOrAlias);
      const path = `/device-types/${encodeURIComponent(slugOrAlias)}`;
      const question = {
        action: `look up device type ${slugOrAlias}`,
        path,
        image: { deviceType: slugOrAlias },
      };
      return (await factsOf({ ...question, ...options }))["deviceType"] as string;
    },

    async versions(slug, { includeDrafts = false, ...options }) {
      assertDeviceType(slug);
      const path = `/versions/${slug}${includeDrafts ? "?includeDrafts=true" : ""}`;
      const question = { action: `list the versions of ${slug}`, path, image: { deviceType: slug } };
      return (await factsOf({ ...question, ...options }))["versions"] as OsVersion[];
    },

    async request(image) {
      assertDeviceType(image.deviceType);
      return describedImage(client, sourceId, image, described);
    },
  };
}
