// Has balena-image-fs read `/config.json` of a partition of a disk image, and prints what kind of JSON that is.
import { promisify } from "node:util";
import { interact } from "balena-image-fs";

const [path = "", partition] = process.argv.slice(2);
const text = await interact(path, Number(partition), async (fs) => {
  const readFile = promisify(fs.readFile) as (path: string, options: object) => Promise<string>;
  return readFile("/config.json", { encoding: "utf8", flag: "r" });
});
console.log(JSON.stringify(typeof JSON.parse(text)));
