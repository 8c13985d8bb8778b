// Reads the demo's command line.
import { parseArgs } from "node:util";

const usage = `usage: npm run demo -- [--size MiB] [--store DIR]
       npm run demo -- --live DEVICE_TYPE [VERSION] --out FILE [--store DIR]

  --size   size of the loopback API's images, default 128
  --live   get from balenaCloud; VERSION is an exact version, a range, or latest (the default)
  --out    where to write the image
  --store  keep the cache in this directory; default: a temporary one, removed afterwards`;

/** What the demo is to do. */
export interface DemoOptions {
  /** Bytes of the loopback API's images. */
  readonly bytes: number;
  /** What to get from balenaCloud in place of the loopback API. */
  readonly live: { readonly deviceType: string; readonly version: string } | undefined;
  readonly out: string | undefined;
  readonly store: string | undefined;
}

/** A command line that makes no sense; the message says which would. */
export class UsageError extends Error {
  constructor(message: string) {
    super(`${message}\n${usage}`);
  }
}

/** @throws {UsageError} */
export function parseDemoOptions(args: string[]): DemoOptions {
  const { values, positionals } = parsed(args);
  const { live = false, out, store, size = "128" } = values;
  const [deviceType, version = "latest", ...rest] = positionals;
  if (!/^[1-9]\d{0,5}$/.test(size)) throw new UsageError("--size must be a whole number of MiB, from 1");
  if (!live && (deviceType !== undefined || out !== undefined))
    throw new UsageError("A device type, a version and --out go with --live");
  if (live && (deviceType === undefined || out === undefined || rest.length > 0))
    throw new UsageError("--live needs a device type, at most one version, and --out");
  const bytes = Number(size) * 1024 * 1024;
  return { bytes, live: deviceType === undefined ? undefined : { deviceType, version }, out, store };
}

function parsed(args: string[]) {
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: {
        live: { type: "boolean" },
        out: { type: "string" },
        size: { type: "string" },
        store: { type: "string" },
      },
    });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}
