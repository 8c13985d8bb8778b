/** The arguments that every look-up shares, checked before anything is asked or read. */
import type { ManagerContext } from "../context.ts";
import { assertDeviceTypeName } from "../device-type.ts";
import { InvalidArgumentError } from "../errors.ts";
import { assertScope } from "../identity.ts";
import type { ResolveOptions } from "../types.ts";
import { assertVersionOrRange } from "../version/index.ts";
import { callSignal } from "./call-signal.ts";
import { scopeOf } from "./scope-of.ts";

/** What is asked for. */
export interface ResolveRequest {
  readonly deviceType: string;
  readonly wanted: string;
  readonly includeDrafts: boolean;
  readonly scope: string | undefined;
  /** Whether answers of the upstream may go into the store. */
  readonly isRemembered: boolean;
  /** Only the store can answer: if it fails, the call fails. */
  readonly isStoreNeeded: boolean;
  /** The call is for nothing if the image is not stored. */
  readonly insistsOnStoring?: boolean | undefined;
  /** Aborted by the caller or by closing the manager. */
  readonly signal: AbortSignal;
}

/**
 * `mayAsk`: whether the upstream may be asked whose the credentials are.
 *
 * @throws {ImageManagerError} `INVALID_ARGUMENT`, `INVALID_VERSION`; an aborted signal's reason.
 */
export async function checkedRequest(
  context: ManagerContext,
  deviceType: unknown,
  wanted: unknown,
  options: ResolveOptions & { scope?: string | undefined },
  mayAsk = true,
): Promise<ResolveRequest> {
  assertDeviceTypeName(deviceType);
  assertVersionOrRange(wanted);
  if (typeof options !== "object" || options === null)
    throw new InvalidArgumentError("The options must be an object");
  assertScope(options.scope);
  const { includeDrafts = false } = options;
  if (typeof includeDrafts !== "boolean")
    throw new InvalidArgumentError('"includeDrafts" must be true or false');
  const signal = callSignal(context, options.signal);
  signal.throwIfAborted();
  const scope = options.scope ?? (await scopeOf(context, signal, mayAsk));
  return { deviceType, wanted, includeDrafts, scope, isRemembered: true, isStoreNeeded: false, signal };
}
