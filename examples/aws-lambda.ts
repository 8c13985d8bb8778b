// A Lambda function that puts an image into a bucket, ready for the next flashing job. The answer says which image.
// Give it 512 MB, time enough for a download, and s3:GetObject, PutObject, DeleteObject and ListBucket on BUCKET.
// Lambda sets the rest of the environment. S3_ENDPOINT and BALENA_API_URL are for servers other than AWS and balenaCloud.
import { createImageManager, isImageManagerError } from "balena-image-manager";
import { balenaApiSource } from "balena-image-manager/adapters/balena-api";
import { s3Adapter } from "balena-image-manager/adapters/s3";
import { nodeInflate } from "balena-image-manager/node";

const { BUCKET = "", AWS_REGION = "", AWS_ACCESS_KEY_ID = "", AWS_SECRET_ACCESS_KEY = "" } = process.env;
const { AWS_SESSION_TOKEN, S3_ENDPOINT, BALENA_API_URL } = process.env;

const images = createImageManager({
  source: balenaApiSource({ apiUrl: BALENA_API_URL }),
  storage: s3Adapter({
    bucket: BUCKET,
    region: AWS_REGION,
    endpoint: S3_ENDPOINT,
    accessKeyId: AWS_ACCESS_KEY_ID,
    secretAccessKey: AWS_SECRET_ACCESS_KEY,
    sessionToken: AWS_SESSION_TOKEN,
  }),
  inflate: nodeInflate,
});

export async function handler({ deviceType, version }: { deviceType: string; version?: string }) {
  try {
    const { id, size, etag } = await images.prefetch(deviceType, version);
    return { statusCode: 200, body: JSON.stringify({ id, size, etag }) };
  } catch (error) {
    if (!isImageManagerError(error) || error.code !== "VERSION_NOT_FOUND") throw error; // Lambda tries again
    return { statusCode: 404, body: error.message };
  }
}
