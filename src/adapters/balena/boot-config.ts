/** Reads from a device type's `device-type.json` how its images are configured. */
import { bounds } from "../../core/bounds.ts";
import { isPositiveInteger, isRecord } from "../../core/checks.ts";

/** How an image is configured. */
export interface BootConfig {
  /** The partition of `config.json`, counted as Linux does. `undefined` if it has to be found by what it holds. */
  readonly partition: number | undefined;
  /** Files that are copied within that partition. */
  readonly operations: readonly CopyOperation[];
}

/** A file that is copied if the configuration has certain values. */
export interface CopyOperation {
  readonly from: string;
  readonly to: string;
  readonly when: Readonly<Record<string, unknown>>;
}

/** What is done if the device type can't be asked for. */
export const unknownBootConfig: BootConfig = { partition: undefined, operations: [] };

/** `undefined` if only balena's image maker can configure such an image: an archive, or one whose files lie somewhere else. */
export function bootConfigIn(deviceType: unknown): BootConfig | undefined {
  const { yocto, configuration } = recordOf(deviceType);
  const { config, operations = [] } = recordOf(configuration);
  const { partition: place, image, path = "/config.json" } = recordOf(config);
  const partition = partitionNumber(place);
  if (recordOf(yocto)["archive"] === true || image !== undefined || path !== "/config.json") return undefined;
  if (partition === undefined || !Array.isArray(operations)) return undefined;
  const copies = operations.map((operation) => copyIn(operation, partition));
  return copies.every((copy) => copy !== undefined) ? { partition, operations: copies } : undefined;
}

/** Whether an operation is to be done for a configuration. */
export function isWanted({ when }: CopyOperation, config: Readonly<Record<string, unknown>>): boolean {
  return Object.entries(when).every(([name, value]) => config[name] === value);
}

/** `undefined` for an operation that copies from or to another partition, which may have any file system, or that does not copy. */
function copyIn(operation: unknown, partition: number): CopyOperation | undefined {
  const { command = "copy", from, to, when = {} } = recordOf(operation);
  const [source, target] = [recordOf(from), recordOf(to)];
  const isInside = [source, target].every(
    ({ partition: place, path }) => partitionNumber(place) === partition && isPath(path),
  );
  if (command !== "copy" || !isInside || !isRecord(when)) return undefined;
  return { from: source["path"] as string, to: target["path"] as string, when };
}

/** `7`, `{ primary: 1 }`, or `{ primary: 4, logical: 1 }`, which is 5. */
function partitionNumber(place: unknown): number | undefined {
  const { primary, logical } = recordOf(place);
  const number = typeof logical === "number" ? logical + 4 : (primary ?? place);
  return isPositiveInteger(number) ? number : undefined;
}

const isPath = (value: unknown) => typeof value === "string" && value.length <= bounds.quotedCharacters;
const recordOf = (value: unknown): Record<string, unknown> => (isRecord(value) ? value : {});
