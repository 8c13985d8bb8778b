// The server on Deno.
import { fsAdapter } from "balena-image-manager/adapters/fs";
import { createSite, type SiteSettings } from "./site.ts";

interface DenoNamespace {
  serve(
    options: { port: number; hostname: string },
    handler: (request: Request) => Promise<Response>,
  ): unknown;
  env: { get(name: string): string | undefined };
}
const { serve, env } = (globalThis as unknown as { Deno: DenoNamespace }).Deno;

const settings = JSON.parse(env.get("TEST_SITE") ?? "") as SiteSettings;
const { port, base } = settings;
serve({ port, hostname: "127.0.0.1" }, createSite(settings, fsAdapter({ base })));
