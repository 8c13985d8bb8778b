// What the API does not hand out, and in which words it says so: a status and a JSON string for people.
import { type Catalog, findDeviceType, findRelease } from "./catalog.ts";
import { foreignFleet } from "./fixtures.ts";

/** An answer that is a refusal. */
export interface RefusalAnswer {
  readonly status: number;
  readonly body: string;
}

export const unauthorized: RefusalAnswer = { status: 401, body: "Unauthorized" };
export const notFound: RefusalAnswer = { status: 404, body: "Not Found" };
export const noSuchFleet: RefusalAnswer = {
  status: 404,
  body: "You do not have permission to access this application",
};
export const unknownType = (name: string): RefusalAnswer => ({
  status: 404,
  body: `Unknown device type ${name}`,
});
export const unknownVersion = (name: string, version: string): RefusalAnswer => ({
  status: 404,
  body: `Device ${name} not found for ${version} version`,
});

/** Why a download is refused; `undefined` where it is not. */
export function downloadRefusal(
  query: URLSearchParams,
  catalog: Catalog,
  authorized: boolean,
): RefusalAnswer | undefined {
  const [name, version] = [query.get("deviceType") ?? "", query.get("version") ?? ""];
  if (![null, ".img", ".gz", ".zip"].includes(query.get("fileType")))
    return { status: 400, body: "Invalid file type" };
  const type = findDeviceType(catalog, name, authorized);
  if (type === undefined) return unknownType(name);
  if (findRelease(catalog, name, version, authorized) === undefined) return unknownVersion(name, version);
  if (query.get("appId") === String(foreignFleet)) return noSuchFleet;
  const imageType = query.get("imageType");
  // Only what has a file of its own can be asked for by name: the default image has none.
  const hasIt = imageType === null || type.imageTypes?.some((one) => one === imageType);
  return hasIt ? undefined : { status: 404, body: `Image type ${imageType} not found for ${name}` };
}

/** The words of a refusal that a test asks for by its status alone. */
export function wordsOf(status: number): string {
  const words: Record<number, string> = { 401: "Unauthorized", 403: "Forbidden", 429: "Too Many Requests" };
  return words[status] ?? "Fault";
}
