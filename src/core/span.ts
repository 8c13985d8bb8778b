/** A span of bytes. `end` is exclusive; it is `Infinity` if the span goes to the end of an image whose size is not known. */
export interface Span {
  readonly start: number;
  readonly end: number;
}
