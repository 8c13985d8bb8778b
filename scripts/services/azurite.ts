// Azurite, Microsoft's emulator of Azure Blob Storage, on loopback, in memory. It has a package of its own, so `npm ci` stays small.
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { accepts, type Daemon, freePort, isAlive, run, settles, startDaemon } from "./daemon.ts";

const home = fileURLToPath(new URL("../../test/services/azurite", import.meta.url));
const account = "devstoreaccount1";
/** The key that every Azurite has, as its manual says. */
const accountKey = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

/** A running server. */
export interface AzuriteService {
  readonly connectionString: string;
  readonly port: number;
  readonly daemon: Daemon;
}

/**
 * Starts one, and waits until it answers. With the first call, its package is installed.
 *
 * @param directory - Where it keeps its log; made if missing.
 * @param port - Default: one that is free.
 */
export async function startAzurite(directory: string, port?: number): Promise<AzuriteService> {
  mkdirSync(directory, { recursive: true });
  const program = installed();
  const ownPort = port ?? (await freePort());
  const options = ["--blobHost", "127.0.0.1", "--blobPort", String(ownPort)];
  const log = join(directory, "azurite.out");
  const daemon = startDaemon(
    process.execPath,
    [program, ...options, "--inMemoryPersistence", "--silent", "--disableTelemetry", "--skipApiVersionCheck"],
    String(ownPort),
    log,
  );
  const isUp = await settles(async () => !isAlive(daemon) || (await accepts(ownPort)), 30_000);
  if (!isUp || !isAlive(daemon))
    throw new Error(`Azurite did not start: ${readFileSync(log, "utf8").slice(-500)}`);
  return { connectionString: connectionStringOf(ownPort), port: ownPort, daemon };
}

/** How its account is reached at a port: its own, or that of a proxy before it. */
export function connectionStringOf(port: number): string {
  const endpoint = `http://127.0.0.1:${port}/${account}`;
  return `DefaultEndpointsProtocol=http;AccountName=${account};AccountKey=${accountKey};BlobEndpoint=${endpoint};`;
}

const installMs = 300_000;

function installed(): string {
  if (!existsSync(join(home, "node_modules")))
    run("npm", ["ci", "--prefix", home, "--ignore-scripts", "--no-audit", "--no-fund"], installMs);
  return createRequire(join(home, "package.json")).resolve("azurite/dist/src/blob/main.js");
}
