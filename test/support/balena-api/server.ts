// Wires the loopback balena API together: catalog, images, faults and counters behind two listeners.
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { defaultToken } from "./auth.ts";
import { type Counters, createCounters, type LoggedRequest } from "./counters.ts";
import { createFaults, type DownloadFaults, type DownloadKind } from "./faults.ts";
import {
  type DeviceTypeFixture,
  defaultDeviceTypes,
  defaultReleases,
  type ReleaseFixture,
} from "./fixtures.ts";
import { createImageLibrary, type ServedImage } from "./image.ts";
import { createImageClock } from "./image-clock.ts";
import { createPackedFiles } from "./packed-files.ts";
import { type ApiContext, answerRequest } from "./router.ts";
import { createThrottle } from "./throttle.ts";

/** Options of {@link startBalenaApi}. */
export interface BalenaApiOptions {
  /** Bytes of every raw image. Default 8 MiB; from 32 MiB on whole 4 MiB chunks of it are zero. */
  readonly imageBytes?: number;
  /** Images without free space. Default `false`: a fifth is zero. */
  readonly holeFree?: boolean;
  /**
   * `as-balena` (default): `/download` knows no ranges, no ETag, no Last-Modified, and so no 304.
   * `with-validators`: as a mirror or another server of files has them. Single traits can be switched by `faults`.
   */
  readonly downloads?: DownloadKind;
  /**
   * Whether releases have assets. Default: they do `as-balena`, and do not `with-validators`. `false` is an API of before there were any,
   * whose images come by `/download` alone.
   */
  readonly assets?: boolean;
  /**
   * `faults.imageMakerClock` while no test sets another: a fixed time, as in `repeatableImages`, makes configured images the same bytes
   * each time. Default: none, so that they never are, as at balena.
   */
  readonly imageMakerClock?: Date;
  /** Default: see `fixtures.ts`. */
  readonly deviceTypes?: readonly DeviceTypeFixture[];
  /** Default: see `fixtures.ts`. */
  readonly releases?: readonly ReleaseFixture[];
  /** The account's token. Default: a JWT. */
  readonly token?: string;
}

/** A running loopback balena API. */
export interface BalenaApi {
  /** Origin of the API, such as `http://127.0.0.1:1234`. */
  readonly url: string;
  /** Origin that `faults.redirect` to `other-origin` leads to. */
  readonly filesUrl: string;
  readonly token: string;
  readonly faults: DownloadFaults;
  readonly counters: Counters;
  /** May be changed at any time. */
  readonly deviceTypes: DeviceTypeFixture[];
  /** May be changed at any time: `api.releases.push({ deviceType, version })`. */
  readonly releases: ReleaseFixture[];
  /**
   * What `/download` serves for a canonical slug, listed or not. `variant` holds further query parameters;
   * `contentRevision` 1 is the image that `faults.change` puts in its place. A configured image is the one that was made last:
   * for a HEAD too one is made.
   */
  image(deviceType: string, version: string, variant?: ImageQuery, contentRevision?: number): ServedImage;
  /** Ends all connections and deletes temporary files. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Query parameters of a download beyond device type and version. */
export type ImageQuery = Readonly<Record<string, string | number | boolean | undefined>>;

/**
 * Starts a balena API on a free loopback port.
 *
 * @example
 * ```ts
 * await using api = await startBalenaApi();
 * api.faults.lose = { atPercent: 50, times: 1 };
 * ```
 */
export async function startBalenaApi(options: BalenaApiOptions = {}): Promise<BalenaApi> {
  const { imageBytes = 8 * 1024 * 1024, holeFree = false, downloads = "as-balena" } = options;
  const token = options.token ?? defaultToken;
  const deviceTypes = [...(options.deviceTypes ?? defaultDeviceTypes)];
  const releases = [...(options.releases ?? defaultReleases)];
  const [faults, counters, files] = [
    createFaults(downloads, options.imageMakerClock),
    createCounters(),
    createPackedFiles(),
  ];
  const imageOf = createImageLibrary({ imageBytes, holeFree, gzipMembers: () => faults.gzipMembers }, files);
  const clock = createImageClock(faults);
  const link = createThrottle(() => faults.linkBytesPerSecond);
  const context: ApiContext = {
    catalog: { deviceTypes, releases },
    counters,
    faults,
    imageOf,
    makeAt: clock.makeAt,
    link,
    filesUrl: () => filesUrl,
    hasAssets: options.assets ?? downloads === "as-balena",
    token,
  };

  const servers = [listener("api", context), listener("files", context)] as const;
  const [url, filesUrl] = await Promise.all([listen(servers[0]), listen(servers[1])]);
  const close = async () => {
    await Promise.all(servers.map(shut));
    await files.close();
  };
  return {
    ...{ url, filesUrl, token, faults, counters, deviceTypes, releases, close },
    image(slug, version, query = {}, contentRevision = 0) {
      const asked = { slug, version, variant: asStrings(query) };
      return imageOf({ ...asked, contentRevision, madeAt: clock.lastMadeAt(asked) });
    },
    [Symbol.asyncDispose]: close,
  };
}

function listener(name: LoggedRequest["listener"], context: ApiContext): Server {
  return createServer((request, response) => {
    answerRequest(name, request, response, context).catch((error) => {
      if (!response.destroyed) console.error("loopback balena API:", error);
      response.destroy();
    });
  });
}

async function listen(server: Server): Promise<string> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function shut(server: Server): Promise<void> {
  if (!server.listening) return;
  const closed = once(server, "close");
  server.close();
  server.closeAllConnections();
  await closed;
}

function asStrings(query: ImageQuery): Record<string, string> {
  const chosen = Object.entries(query).filter(([, value]) => value !== undefined);
  return Object.fromEntries(chosen.map(([name, value]) => [name, String(value)]));
}
