/** The public types, and the two ports through which the world enters: {@link ImageSource} and {@link StoreDriver}. */

export type * from "./types/encoding.ts";
export type * from "./types/get.ts";
export type * from "./types/image.ts";
export type * from "./types/key-value-store.ts";
export type * from "./types/manager.ts";
export type * from "./types/options.ts";
export type * from "./types/source.ts";
export type * from "./types/store.ts";
export type * from "./types/upkeep.ts";
