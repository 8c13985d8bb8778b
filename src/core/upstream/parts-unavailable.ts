/** The failure of the way by parts alone. The same image may still come as one file. */
import { UpstreamError } from "../errors.ts";

/**
 * The parts of an image can't be had: their list is refused or makes no sense, or their addresses are refused, new ones too. Asking again
 * would bring the same, so nothing is retried. A cached copy may stand in (`unavailable`), or the image is asked for as one file.
 */
export class PartsUnavailableError extends UpstreamError {
  constructor(message: string, options?: ErrorOptions) {
    super(message, { unavailable: true }, options);
  }
}
