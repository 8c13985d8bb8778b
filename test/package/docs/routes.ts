// Where requests of an example go: the hosts that examples name are servers on loopback, and nothing leaves the machine.

/** Origins of the test's servers. */
export interface Servers {
  readonly api: string;
  readonly s3: string;
}

/** The address that stands in for another one; throws for a host that nobody has thought of. */
export function routed(address: string, { api, s3 }: Servers): string {
  const { hostname, port, pathname, search } = new URL(address);
  if (hostname === "api.balena-cloud.com") return api + pathname + search;
  const aws = /^(?:(.+)\.)?s3\.[\w-]+\.amazonaws\.com$/.exec(hostname);
  if (aws) return `${s3}${aws[1] ? `/${aws[1]}` : ""}${pathname}${search}`;
  // MinIO's default port.
  if (hostname === "localhost" && port === "9000") return s3 + pathname + search;
  if (hostname === "localhost" || hostname === "127.0.0.1") return address;
  throw new Error(`An example asks ${hostname}: test/package/docs/routes.ts must say who answers for it`);
}
