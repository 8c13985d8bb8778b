// Presigned URLs as S3 makes them: for one method and path, for a while, with a signature in the query.
import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";

/** Why a URL is not honoured; `undefined`: it is. */
export type SignatureProblem = "SignatureDoesNotMatch" | "AccessDenied" | "RequestExpired" | undefined;

const secret = randomBytes(32);
const algorithm = "AWS4-HMAC-SHA256";

/** The query that lets a GET of the path through, from now on and for so long. */
export function signedQuery(pathname: string, expiresInMs: number): string {
  const facts = { date: stampOf(new Date()), expires: String(Math.floor(expiresInMs / 1000)) };
  return String(
    new URLSearchParams({
      "X-Amz-Algorithm": algorithm,
      "X-Amz-Credential": `loopback/${facts.date.slice(0, 8)}/us-east-1/s3/aws4_request`,
      "X-Amz-Date": facts.date,
      "X-Amz-Expires": facts.expires,
      "X-Amz-SignedHeaders": "host",
      "X-Amz-Signature": sign("GET", pathname, facts.date, facts.expires),
    }),
  );
}

/** What is wrong with a request. */
export function signatureProblem(method: string, { pathname, searchParams }: URL): SignatureProblem {
  const part = (name: string) => searchParams.get(`X-Amz-${name}`) ?? "";
  if (part("Signature") === "") return "AccessDenied";
  const expected = Buffer.from(sign(method, pathname, part("Date"), part("Expires")));
  const found = Buffer.from(part("Signature"));
  if (found.length !== expected.length || !timingSafeEqual(found, expected)) return "SignatureDoesNotMatch";
  const endMs = timeOf(part("Date")) + 1000 * Number(part("Expires"));
  return Date.now() < endMs ? undefined : "RequestExpired";
}

function sign(...facts: string[]): string {
  return createHmac("sha256", secret).update(facts.join("\n")).digest("hex");
}

/** `20260304T050607Z`. */
function stampOf(date: Date): string {
  return date.toISOString().replace(/[-:]|\.\d+/g, "");
}

function timeOf(stamp: string): number {
  return Date.parse(stamp.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, "$1-$2-$3T$4:$5:$6Z"));
}
