/** Gives errors the messages of version 10, because callers may show or compare them. Class, code and facts stay. */
import { assertDeviceType } from "../../core/device-type.ts";
import {
  DeviceTypeNotFoundError,
  type ImageManagerError,
  InvalidArgumentError,
  InvalidVersionError,
  isImageManagerError,
  UnauthorizedError,
  UpstreamError,
  VersionNotFoundError,
} from "../../core/errors.ts";

/** Runs a call. Where version 10 had words for its error, these are the message, and the error itself is the cause. */
export async function inWordsOfVersion10<T>(deviceType: unknown, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    if (!isImageManagerError(error)) throw error;
    const words = wordsFor(error, deviceType);
    throw words === undefined ? error : reworded(error, words);
  }
}

function wordsFor(error: ImageManagerError, deviceType: unknown): string | undefined {
  switch (error.code) {
    case "VERSION_NOT_FOUND":
    case "INVALID_VERSION":
      return "No such version for the device type";
    case "DEVICE_TYPE_NOT_FOUND":
      return `Invalid device type: ${deviceType}`;
    case "INVALID_ARGUMENT":
      return isShowable(deviceType) && !isDeviceType(deviceType)
        ? `Invalid device type: ${deviceType}`
        : undefined;
    default:
      return wordsOfSdk(error.cause);
  }
}

/** The SDK's errors were passed on as they were. Those of the library have what the API said as their cause, free of secrets. */
function wordsOfSdk(cause: unknown): string | undefined {
  if (!(cause instanceof Error)) return undefined;
  const { code, statusCode } = cause as { code?: unknown; statusCode?: unknown };
  if (typeof code === "string" && code.startsWith("Balena")) return cause.message;
  if (statusCode === 401) return "You have to log in";
  return typeof statusCode === "number" ? `Request error: ${cause.message}` : undefined;
}

/** Other texts could forge a line of a log. */
function isShowable(value: unknown): boolean {
  return /^[ -~]{0,64}$/.test(String(value));
}

function isDeviceType(value: unknown): boolean {
  try {
    assertDeviceType(value);
    return true;
  } catch {
    return false;
  }
}

/** A new error, because other callers may have got the old one too. */
function reworded(error: ImageManagerError, message: string): ImageManagerError {
  const options = { cause: error };
  if (error instanceof InvalidArgumentError) return new InvalidArgumentError(message, options);
  if (error instanceof InvalidVersionError) return new InvalidVersionError(error.version, message, options);
  if (error instanceof UnauthorizedError) return new UnauthorizedError(message, error.status, options);
  if (error instanceof UpstreamError) return new UpstreamError(message, error, options);
  if (error instanceof DeviceTypeNotFoundError)
    return Object.assign(new DeviceTypeNotFoundError(error.deviceType, options), { message });
  if (error instanceof VersionNotFoundError) {
    const { deviceType, version, nearest } = error;
    return Object.assign(new VersionNotFoundError(deviceType, version, nearest, options), { message });
  }
  return error;
}
