// What a side of the comparison can do, and where it may do it.
import type { UpstreamFacts } from "../upstream.ts";

/** How the image travels: as it is, or packed where the side can take it so. */
export type FileType = ".img" | ".gz";

/** A plain image, or one that is made of it: for development, or for a device of a fleet. */
export type ConfiguredKind = "plain" | "development" | "fleet";

/** Tasks that are timed. Each ends when all bytes were delivered and, in a first get, kept. */
export interface Subject {
  /** Gets the image where nothing is kept of it. */
  first(fileType: FileType, variant?: { readonly developmentMode: boolean }): Promise<void>;
  /** Gets it again. Not every side keeps it; some keep one file, however it travelled. */
  repeated?(fileType: FileType): Promise<void>;
  /** Reads so many bytes from a place in the `.img` that is kept. */
  range?(start: number, bytes: number): Promise<void>;
  /** Gets an image that is made of the one that is kept. */
  configured?(kind: ConfiguredKind): Promise<void>;
  /** Forgets what is kept. */
  clear(): Promise<void>;
  close?(): Promise<void>;
}

/** What a side works with. */
export interface SubjectSetting {
  readonly upstream: UpstreamFacts;
  /** An empty directory of its own. */
  readonly base: string;
  /** Speed of whoever reads the image. Default: as fast as it comes. */
  readonly readerBytesPerSecond?: number | undefined;
  /** Servers' addresses, where they were started. */
  readonly environment?: Readonly<Record<string, string>> | undefined;
}

/** Opens a side. */
export type OpenSubject = (setting: SubjectSetting) => Promise<Subject>;
