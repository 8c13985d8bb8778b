// A real S3 server on loopback: a Ceph cluster of one with its RADOS gateway, objects in memory, anew with every start.
import { randomBytes, randomUUID } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type CephPlace, cephConf } from "./ceph-conf.ts";
import { type Daemon, freePort, isAlive, run, settles, startDaemon } from "./daemon.ts";
import type { Requirement } from "./install.ts";

/** What it needs. */
export const cephRequirements: Requirement[] = [
  { program: "ceph-mon", packages: ["ceph-mon"] },
  { program: "ceph-osd", packages: ["ceph-osd"] },
  { program: "radosgw", packages: ["radosgw"] },
];

/** A running S3 server, and a user of it who may make buckets. */
export interface S3Service {
  readonly endpoint: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly region: string;
  readonly daemons: Daemon[];
}

/**
 * Starts one in about 15 seconds.
 *
 * @param directory - Where it keeps its files; short, for a socket's path may have 107 characters.
 * @param onStart - Told of each process as soon as there is one, so that it can be ended if a later step fails.
 */
export async function startCeph(directory: string, onStart: (daemon: Daemon) => void): Promise<S3Service> {
  const place = await preparePlace(directory);
  const daemons: Daemon[] = [];
  const start: Start = (program, ...args) => {
    const daemon = startDaemon(
      program,
      ["--conf", confOf(directory), ...args, "-f"],
      confOf(directory),
      join(directory, `${program}.out`),
    );
    daemons.push(daemon);
    onStart(daemon);
    return daemon;
  };
  await startMonitor(place, start);
  await startOsd(place, start);
  await startGateway(place, start);
  return { endpoint: endpointOf(place), ...createUser(directory), region: "us-east-1", daemons };
}

type Start = (program: string, ...args: string[]) => Daemon;

async function preparePlace(directory: string): Promise<CephPlace> {
  for (const name of ["osd.0", "rgw"]) mkdirSync(join(directory, name), { recursive: true });
  const ports = { monitorPort: await freePort(), gatewayPort: await freePort() };
  const place = { directory, fsid: randomUUID(), ...ports };
  writeFileSync(confOf(directory), cephConf(place));
  return place;
}

async function startMonitor({ directory, fsid, monitorPort }: CephPlace, start: Start): Promise<void> {
  const map = join(directory, "monmap");
  run("monmaptool", ["--create", "--fsid", fsid, "--addv", "a", `[v1:127.0.0.1:${monitorPort}]`, map]);
  run("ceph-mon", ["--conf", confOf(directory), "-i", "a", "--mkfs", "--monmap", map]);
  const daemon = start("ceph-mon", "-i", "a");
  await isUpOrFails(directory, daemon, "ceph-mon", () => succeeds(() => ceph(directory, "mon", "stat")));
}

async function startOsd({ directory }: CephPlace, start: Start): Promise<void> {
  const uuid = randomUUID();
  ceph(directory, "osd", "new", uuid);
  run("ceph-osd", ["--conf", confOf(directory), "-i", "0", "--mkfs", "--osd-uuid", uuid]);
  ceph(directory, "osd", "crush", "add", "osd.0", "1.0", "root=default", "host=test");
  let daemon = start("ceph-osd", "-i", "0");
  await isUpOrFails(directory, undefined, "ceph-osd", () => {
    // It may lose a start-up race with the monitor ("wrong fsid"): start it again.
    if (!isAlive(daemon)) daemon = start("ceph-osd", "-i", "0");
    return succeeds(() => ceph(directory, "osd", "stat").includes("1 up"));
  });
}

async function startGateway(place: CephPlace, start: Start): Promise<void> {
  const daemon = start("radosgw", "-n", "client.rgw.test");
  await isUpOrFails(place.directory, daemon, "radosgw", () =>
    fetch(endpointOf(place), { signal: AbortSignal.timeout(2_000) }).then(
      () => true,
      () => false,
    ),
  );
}

function createUser(directory: string): Pick<S3Service, "accessKeyId" | "secretAccessKey"> {
  const accessKeyId = `TEST${randomBytes(8).toString("hex").toUpperCase()}`;
  // With all the characters that a real one may have.
  const secretAccessKey = `secret+with/special=${randomBytes(12).toString("hex")}`;
  const names = ["--uid=test", "--display-name=test", "--max-buckets=0"];
  const keys = [`--access-key=${accessKeyId}`, `--secret-key=${secretAccessKey}`];
  const client = ["--conf", confOf(directory), "-n", "client.rgw.test"];
  run("radosgw-admin", [...client, "user", "create", ...names, ...keys]);
  return { accessKeyId, secretAccessKey };
}

function confOf(directory: string): string {
  return join(directory, "ceph.conf");
}

function endpointOf({ gatewayPort }: CephPlace): string {
  return `http://127.0.0.1:${gatewayPort}`;
}

function ceph(directory: string, ...args: string[]): string {
  return run("ceph", ["--conf", confOf(directory), "--connect-timeout", "5", ...args]);
}

function succeeds(call: () => unknown): boolean {
  try {
    return call() !== false;
  } catch {
    return false;
  }
}

async function isUpOrFails(
  directory: string,
  daemon: Daemon | undefined,
  program: string,
  isUp: () => boolean | Promise<boolean>,
): Promise<void> {
  const isDead = () => daemon !== undefined && !isAlive(daemon);
  const isOver = await settles(async () => isDead() || (await isUp()), 60_000);
  if (isOver && !isDead()) return;
  const output = readFileSync(join(directory, `${program}.out`), "utf8");
  throw new Error(`${program} did not come up: ${output.trim().slice(-1000)}`);
}
