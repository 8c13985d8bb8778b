// Two hundred clients of one cold image at once: one curl process with a connection for each.
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { equal } from "../../runtimes/suites/assert.ts";
import { startBalenaApi } from "../../support/balena-api/index.ts";
import { assertIsImage, type Checks, ended, imageAt, runClient } from "../run/check.ts";

const imageBytes = 5 * 1024 * 1024; // two chunks; 200 of them are enough to write and to hash
const gzBytesPerSecond = 0.5 * 1024 * 1024; // some two seconds: time for everybody to come

/** The row. */
export const crowd: Checks = {
  "200 × curl: one cold image at once, one upstream transfer": async ({ runtime, project, directory }) => {
    const clients = runtime.crowd?.clients ?? 200;
    await using api = await startBalenaApi({ assets: false, imageBytes });
    await using site = await runtime.start(project, api.url);
    const image = imageAt(site, api, "6.1.0");
    await api.image("raspberrypi4-64", "6.1.0").prepare();
    api.faults.linkBytesPerSecond = gzBytesPerSecond;
    const files = Array.from({ length: clients }, (_, index) => join(directory, `file-${index}`));
    const etags = await fetchAll(directory, image.url, files);
    for (const file of files) await assertIsImage(file, image);
    equal(api.counters.transfers, 1, "upstream transfers");
    // Only who comes while the image does is told no ETag.
    equal(etags.filter((etag) => etag === "").length, clients, "clients that came while the image did");
    return `${clients} clients, ${api.counters.transfers} upstream transfer${runtime.crowd ? `; no more clients, for ${runtime.crowd.reason}` : ""}`;
  },
};

/** The ETags that the answers had. */
async function fetchAll(directory: string, url: string, files: readonly string[]): Promise<string[]> {
  await writeFile(
    join(directory, "config"),
    files.map((file) => `url = "${url}"\noutput = "${file}"\n`).join(""),
  );
  const parallel = ["-Z", "--parallel-immediate", "--parallel-max", String(files.length)];
  const args = ["-sS", ...parallel, "-w", "%{http_code} %header{etag}\\n", "-K", "config"];
  const result = await runClient("curl", args, directory);
  ended(result);
  const answers = [...result.stdout.matchAll(/^200 (.*)$/gm)].map(([, etag = ""]) => etag);
  equal(answers.length, files.length, "answers 200");
  return answers;
}
