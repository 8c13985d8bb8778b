// What the servers of all runtimes have in common: the handler over a store, and a record of what it answered.
import { createImageManager, type ImageManagerOptions } from "balena-image-manager";
import { balenaApiSource } from "balena-image-manager/adapters/balena-api";
import { createImageHandler, type ImageHandlerOptions } from "balena-image-manager/http";

/** What a server is told, as JSON in `TEST_SITE`; a Worker by its bindings. */
export interface SiteSettings {
  readonly apiUrl: string;
  readonly maxAgeMs: number;
  readonly port: number;
  /** Directory of the store, where there is one. */
  readonly base: string;
}

/** One answer. */
export interface Answer {
  readonly method: string;
  readonly path: string;
  readonly range: string | null;
  readonly status: number;
}

const answers: Answer[] = [];

/** Serves images; `/answers` gives the record as JSON, and begins a new one. */
export function createSite(
  { apiUrl, maxAgeMs }: Pick<SiteSettings, "apiUrl" | "maxAgeMs">,
  storage: ImageManagerOptions["storage"],
  options?: ImageHandlerOptions,
): (request: Request) => Promise<Response> {
  const images = createImageManager({
    source: balenaApiSource({ apiUrl }),
    storage,
    freshness: { maxAgeMs },
    maxBytes: 4e9,
  });
  const handler = createImageHandler(images, options);
  return async (request) => {
    const { pathname, search } = new URL(request.url);
    if (pathname === "/answers") return Response.json(answers.splice(0));
    const response = await handler(request);
    const { method, headers } = request;
    answers.push({ method, path: pathname + search, range: headers.get("range"), status: response.status });
    return response;
  };
}
