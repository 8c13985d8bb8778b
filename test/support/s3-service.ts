// The real S3 server of test/services: buckets in it, and the vendor's own client to check what is there.
import {
  CreateBucketCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import type { S3AdapterOptions } from "../../src/adapters/s3/index.ts";

/** Access to a bucket, in the form that the adapter takes. */
export type BucketAccess = Extract<S3AdapterOptions, { accessKeyId: string }>;

/** A bucket of a test's own, with another client than ours. */
export interface Bucket {
  readonly access: BucketAccess;
  /** Names of all objects, sorted. */
  names(): Promise<string[]>;
  read(name: string): Promise<Uint8Array>;
  write(name: string, body: string | Uint8Array): Promise<void>;
}

/** Makes a bucket. Servers of the tests forget everything when they stop, so nothing deletes it. */
export async function newBucket(): Promise<Bucket> {
  const access = accessTo(`test-${crypto.randomUUID()}`);
  const client = clientOf(access);
  const where = { Bucket: access.bucket };
  await client.send(new CreateBucketCommand(where));
  return {
    access,
    names: () => namesIn(client, access.bucket),
    async read(name) {
      const { Body } = await client.send(new GetObjectCommand({ ...where, Key: name }));
      return (await Body?.transformToByteArray()) ?? new Uint8Array();
    },
    write: async (name, body) =>
      void (await client.send(new PutObjectCommand({ ...where, Key: name, Body: body }))),
  };
}

/** Access to a bucket that need not exist. */
export function accessTo(bucket: string): BucketAccess {
  return {
    bucket,
    endpoint: fromEnvironment("TEST_S3_ENDPOINT"),
    region: fromEnvironment("TEST_S3_REGION"),
    accessKeyId: fromEnvironment("TEST_S3_ACCESS_KEY"),
    secretAccessKey: fromEnvironment("TEST_S3_SECRET_KEY"),
  };
}

function fromEnvironment(name: string): string {
  const value = process.env[name];
  if (value) return value;
  throw new Error(`${name} is not set: run these tests by "npm run test:services", which starts the servers`);
}

function clientOf({ endpoint, region, accessKeyId, secretAccessKey }: BucketAccess): S3Client {
  const credentials = { accessKeyId, secretAccessKey };
  return new S3Client({ ...(endpoint && { endpoint }), region, credentials, forcePathStyle: true });
}

async function namesIn(client: S3Client, bucket: string): Promise<string[]> {
  const names: string[] = [];
  let token: string | undefined;
  do {
    const page = await client.send(new ListObjectsV2Command({ Bucket: bucket, ContinuationToken: token }));
    names.push(...(page.Contents ?? []).map(({ Key }) => Key ?? ""));
    token = page.NextContinuationToken;
  } while (token !== undefined);
  return names.sort();
}
