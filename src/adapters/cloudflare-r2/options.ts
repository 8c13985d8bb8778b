/** Checks the options of `r2Adapter` and fills in the defaults. */
import { checkedKeyPrefix, checkedObject, requireOption } from "../store-values.ts";
import type { R2BucketBinding } from "./bucket.ts";

/** Options of {@link r2Adapter}. */
export interface R2AdapterOptions {
  /** The bucket's binding from the Worker's `env`. */
  binding: R2BucketBinding;
  /** Text before every key, for example `images/`. Default: none. */
  keyPrefix?: string | undefined;
}

const methods = ["head", "get", "put", "delete", "list"] as const;

/** @throws {InvalidArgumentError} `INVALID_ARGUMENT` that names the option. */
export function checkedOptions(options: R2AdapterOptions) {
  const { binding, keyPrefix } = checkedObject("r2Adapter", options);
  const isBucket = methods.every((method) => typeof binding?.[method] === "function");
  requireOption(isBucket, '"binding" must be an R2 bucket, for example env.IMAGES');
  return { bucket: binding, keyPrefix: checkedKeyPrefix(keyPrefix) };
}
