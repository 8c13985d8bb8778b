// The server on Bun.
import { fsAdapter } from "balena-image-manager/adapters/fs";
import { createSite, type SiteSettings } from "./site.ts";

interface BunServer {
  serve(options: {
    port: number;
    hostname: string;
    idleTimeout: number;
    fetch: (request: Request) => Promise<Response>;
  }): unknown;
}
const { serve } = (globalThis as unknown as { Bun: BunServer }).Bun;

const settings = JSON.parse(process.env["TEST_SITE"] ?? "") as SiteSettings;
const { port, base } = settings;
const idleTimeout = 255; // seconds; the default of 10 is less than a slow client may take between two reads
serve({ port, hostname: "127.0.0.1", idleTimeout, fetch: createSite(settings, fsAdapter({ base })) });
