// Real processes over one fs store that are killed at random places of an image in parts. The large run is `npm run kills`.
import { test } from "vitest";
import { expectCheapKills } from "../../kills/random-kills.ts";
import { newBase } from "../../support/fs-store.ts";
import { sharedApi } from "../../support/shared-api.ts";

const imageBytes = 64 * 1024 * 1024;
const api = await sharedApi({ assets: true, imageBytes, holeFree: true });

test("each kill costs at most 8 MiB", async () => {
  await expectCheapKills(api, { base: await newBase() }, { kills: 3, imageBytes });
});
