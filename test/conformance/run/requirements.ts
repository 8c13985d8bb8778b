// The clients and the proxy, as Debian packages them.
import type { Requirement } from "../../../scripts/services/install.ts";

/** All that the checks start. Debian's nginx brings the slice module along. */
export const requirements: readonly Requirement[] = [
  { program: "curl", packages: ["curl"] },
  { program: "wget", packages: ["wget"] },
  { program: "aria2c", packages: ["aria2"] },
  { program: "nginx", packages: ["nginx"] },
];
