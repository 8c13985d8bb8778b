/** What Node does better than the web platform that it offers: the `/node` export. */
export { nodeInflate } from "./inflate.ts";
