// Makes sure that the servers' programs are there: a missing one is installed where that is possible, and never skipped.
import { spawnSync } from "node:child_process";

/** A program that a service needs, and the Debian packages that bring it. */
export interface Requirement {
  readonly program: string;
  readonly packages: readonly string[];
}

/**
 * Installs the packages of the programs that are missing.
 *
 * @throws an error that says which command installs them, where they can't be installed from here.
 */
export function ensureInstalled(requirements: readonly Requirement[]): void {
  const missing = requirements.filter(({ program }) => !isInstalled(program));
  if (missing.length === 0) return;
  const packages = [...new Set(missing.flatMap((requirement) => requirement.packages))];
  const programs = missing.map(({ program }) => program).join(", ");
  const command = `apt-get update && apt-get install -y --no-install-recommends ${packages.join(" ")}`;
  console.error(`Installing ${packages.join(", ")}: ${programs} not found`);
  if (
    process.getuid?.() !== 0 ||
    !aptInstall(packages) ||
    !missing.every(({ program }) => isInstalled(program))
  ) {
    throw new Error(`Missing: ${programs}. Install it as root on Debian or Ubuntu: ${command}`);
  }
}

function isInstalled(program: string): boolean {
  return spawnSync("sh", ["-c", 'command -v "$1"', "sh", program]).status === 0;
}

function aptInstall(packages: readonly string[]): boolean {
  // Another apt may be at work: wait for it.
  const options = ["-qq", "-o", "DPkg::Lock::Timeout=300"];
  const apt = (...args: string[]) =>
    spawnSync("apt-get", [...options, ...args], {
      // What apt says is for people: standard output is the environment's.
      stdio: ["ignore", "ignore", "inherit"],
      env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
    }).status === 0;
  return apt("update") && apt("install", "-y", "--no-install-recommends", ...packages);
}
