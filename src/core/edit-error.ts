/** The error of edits: why files or spans can't be laid over an image. */
import { ImageManagerError, named } from "./error-base.ts";

/** Why an edit can't be applied to an image. */
export type EditErrorReason =
  /** No partition is a boot partition, or the partition that you named is none. */
  | "no-boot-partition"
  /** Part of the image can't be read: a table, a directory, or a file that an object is merged into. */
  | "damaged"
  /** The partition or a directory has no room left. */
  | "full"
  /** A span begins or ends outside the image. */
  | "outside-image"
  /** The edit itself failed. `cause` has its error. */
  | "failed";

/** An edit can't be applied to the image. The cached image is unchanged. */
export class EditError extends ImageManagerError {
  static {
    named(EditError, "EditError");
  }
  readonly code = "EDIT";
  /** Why the edit can't be applied. */
  readonly reason: EditErrorReason;

  constructor(reason: EditErrorReason, message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}
