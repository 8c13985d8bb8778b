/** What all errors of the library have in common: a code, and a brand by which copies of the library know each other's errors. */

/** The codes of {@link ImageManagerError}, one for each class. A `switch` over `code` narrows the type. */
export type ImageManagerErrorCode =
  | "INVALID_ARGUMENT"
  | "INVALID_VERSION"
  | "DEVICE_TYPE_NOT_FOUND"
  | "VERSION_NOT_FOUND"
  | "NOT_CACHED"
  | "UNAUTHORIZED"
  | "UPSTREAM"
  | "TRUNCATED_DOWNLOAD"
  | "IMAGE_CHANGED"
  | "INTEGRITY"
  | "STORE"
  | "LISTING_INCOMPLETE"
  | "CLOSED"
  | "EDIT";

// The ESM and the CJS copy of this module share it, though each has classes of its own.
const brand = Symbol.for("balena-image-manager.error");

/**
 * Tells whether a value is an error of this library. It also recognizes errors of another copy (ESM, CJS, another install).
 *
 * @example
 * ```ts
 * try {
 *   await images.get("raspberrypi4-64", "^6.0.0");
 * } catch (error) {
 *   if (isImageManagerError(error) && error.code === "VERSION_NOT_FOUND") console.error(error.message);
 *   else throw error;
 * }
 * ```
 */
export function isImageManagerError(value: unknown): value is ImageManagerError {
  return typeof value === "object" && value !== null && brand in value;
}

/** Base class of every error that this library throws. */
export abstract class ImageManagerError extends Error {
  /** What went wrong. Programs should compare the code, not the message. */
  abstract readonly code: ImageManagerErrorCode;

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    Object.defineProperty(this, brand, { value: true });
  }

  static {
    named(ImageManagerError, "ImageManagerError");
  }

  /** `instanceof` also knows the errors of another copy of the library (ESM, CJS, another install): they have the same name. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    // biome-ignore lint/complexity/noThisInStatic: it is asked for each class that inherits it.
    return isInstance(this, value);
  }
}

function isInstance(errors: { readonly prototype: ImageManagerError }, value: unknown): boolean {
  if (Function.prototype[Symbol.hasInstance].call(errors, value)) return true;
  // A class of the caller's, derived from one of ours, has only its own errors.
  if (!isImageManagerError(value) || !Object.hasOwn(errors.prototype, "name")) return false;
  return errors === ImageManagerError || value.name === errors.prototype.name;
}

/** Names a class and its errors by a text, because bundlers shorten the names of classes. Each class calls it for itself. */
export function named(errors: { readonly prototype: ImageManagerError }, name: string): void {
  Object.defineProperty(errors, "name", { value: name });
  Object.defineProperty(errors.prototype, "name", { value: name, writable: true, configurable: true });
}
