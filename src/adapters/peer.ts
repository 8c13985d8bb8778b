/** Clients that are optional peers of the package: who uses an adapter installs its client. */
import { InvalidArgumentError } from "../core/errors.ts";

/**
 * What to do if a client can't be loaded: `import("ioredis").catch(missingPeer("redisAdapter", "ioredis"))`. The form matters: bundlers see
 * the name, and see that a missing package is provided for.
 *
 * @throws {InvalidArgumentError} `INVALID_ARGUMENT` that says how to install the package.
 */
export function missingPeer(user: string, name: string): (cause: unknown) => never {
  return (cause) => {
    const message = `${user} needs the package "${name}", which could not be loaded: npm install ${name}`;
    throw new InvalidArgumentError(message, { cause });
  };
}
