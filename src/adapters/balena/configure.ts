/** The option `configure` of both balena sources. */
import { InvalidArgumentError } from "../../core/errors.ts";

/** Who writes a configuration into an image: this library (`local`), or balena's image maker (`upstream`). */
export type Configure = "local" | "upstream";

/** @throws {InvalidArgumentError} `INVALID_ARGUMENT` */
export function checkedConfigure(configure: unknown = "local"): Configure {
  if (configure === "local" || configure === "upstream") return configure;
  throw new InvalidArgumentError('"configure" must be "local" or "upstream"');
}
