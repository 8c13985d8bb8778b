/** What an upstream says of a file, so that a later answer can be compared with it. */
import { isCount, isHeaderValue, isOptional, isRecord } from "../checks.ts";

/** What the upstream said about the very representation that was fetched. */
export interface Validators {
  readonly etag?: string | undefined;
  readonly lastModified?: string | undefined;
  /** The response's Date header. */
  readonly date?: string | undefined;
  /** Bytes of the representation (for example, the `.gz` file), if they are known exactly. */
  readonly size?: number | undefined;
  /** The requested file. Validators of another file say nothing about it. */
  readonly fileType: ".img" | ".zip" | ".gz";
  /** The source has no parts of the image, so it is not asked for them again. */
  readonly isWhole?: boolean | undefined;
}

/** A Date, if the header has one. */
export function dateOfHeader(header: string | undefined): Date | undefined {
  if (header === undefined) return undefined;
  const date = new Date(header);
  return Number.isNaN(date.getTime()) ? undefined : date;
}

/** Whether a value is validators that can be sent with a request: also asked of a journal's. */
export function isValidators(value: unknown): value is Validators {
  if (!isRecord(value) || ![".img", ".zip", ".gz"].includes(value["fileType"] as string)) return false;
  const { etag, lastModified, date, size, isWhole } = value;
  if (!isOptional((flag) => typeof flag === "boolean", isWhole)) return false;
  return (
    [etag, lastModified, date].every((text) => isOptional(isHeaderValue, text)) && isOptional(isCount, size)
  );
}
