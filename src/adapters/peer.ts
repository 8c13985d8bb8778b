/** Loads a client that is an optional peer of the package: the users of the adapter install it. */
import { InvalidArgumentError } from "../core/errors.ts";

/**
 * What `load` imports. The import stands with the caller, so that bundlers see its name.
 *
 * @throws {InvalidArgumentError} `INVALID_ARGUMENT` that says how to install the package, if it can't be loaded.
 */
export async function importPeer<T>(user: string, name: string, load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (cause) {
    const message = `${user} needs the package "${name}", which could not be loaded: npm install ${name}`;
    throw new InvalidArgumentError(message, { cause });
  }
}
