// The server on Node.
import { fsAdapter } from "balena-image-manager/adapters/fs";
import { serve } from "balena-image-manager/node";
import { createSite, type SiteSettings } from "./site.ts";

const settings = JSON.parse(process.env["TEST_SITE"] ?? "") as SiteSettings;
const { port, base } = settings;
const server = await serve(createSite(settings, fsAdapter({ base })), { port });
process.once("SIGTERM", () => server.close());
