// A script that goes through operations, one after the other, and closes what it used: after its last line the runtime must end by
// itself.
import { allOperations, leavesNothing } from "../suites/nothing-left.ts";
import { type StorePlace, storeAt } from "../suites/store-at.ts";
import { nodeParts } from "./node-parts.ts";

/** What is to be done, as JSON in `TEST_TASK`. */
export interface LeftTask {
  readonly place: StorePlace;
  readonly names: readonly string[];
}

const { TEST_CONTROL_URL = "", TEST_DIRECTORY = "", TEST_TASK = "" } = process.env;
const { place, names } = JSON.parse(TEST_TASK) as LeftTask;
const operations = allOperations(nodeParts(TEST_DIRECTORY));
const base = () => (place.kind === "fs" ? { ...place, base: `${place.base}/${crypto.randomUUID()}` } : place);

for (const name of names) {
  const operation = operations[name];
  if (typeof operation !== "function") throw new Error(`There is no operation "${name}"`);
  await leavesNothing({ controlUrl: TEST_CONTROL_URL, create: () => storeAt(base()) }, operation).catch(
    (failure) => console.log(`${name}: ${failure}`),
  );
}
console.log("closed");
