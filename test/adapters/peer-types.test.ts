// What optional peers have is described structurally by the public types: the real things fit, and our adapters fit unstorage. The compiler judges.
import type { TokenCredential } from "@azure/core-auth";
import type { ContainerClient, StorageSharedKeyCredential } from "@azure/storage-blob";
import type { BalenaSDK } from "balena-sdk";
import type { Cluster, Redis, RedisOptions } from "ioredis";
import type * as v1 from "unstorage";
import type * as v2 from "unstorage2";
import { expectTypeOf, test } from "vitest";
import type {
  AzureBlobAdapterOptions,
  AzureContainerClient,
  AzureTokenCredential,
} from "../../src/adapters/azure-blob/index.ts";
import type { BalenaSdk } from "../../src/adapters/balena-sdk/index.ts";
import type { RedisClient, RedisConnection } from "../../src/adapters/redis/index.ts";
import type { KeyValueStore, StoreDriver } from "../../src/core/index.ts";

interface Schema {
  items: { readonly "a:b": string };
  [key: string]: unknown;
}

test("drivers and storages of unstorage 1 and 2 are key-value stores", () => {
  expectTypeOf<v1.Driver>().toExtend<KeyValueStore>();
  expectTypeOf<v1.Driver<{ base: string }, Map<string, string>>>().toExtend<KeyValueStore>();
  expectTypeOf<v1.Storage>().toExtend<KeyValueStore>();
  expectTypeOf<v1.Storage<string>>().toExtend<KeyValueStore>();
  expectTypeOf<v1.Storage<Schema>>().toExtend<KeyValueStore>();
  expectTypeOf<v2.Driver>().toExtend<KeyValueStore>();
  expectTypeOf<v2.Driver<{ base: string }, Map<string, string>>>().toExtend<KeyValueStore>();
  expectTypeOf<v2.Storage>().toExtend<KeyValueStore>();
  expectTypeOf<v2.Storage<string>>().toExtend<KeyValueStore>();
  expectTypeOf<v2.Storage<Schema>>().toExtend<KeyValueStore>();
});

test("our adapters are drivers of unstorage 1 and 2", () => {
  expectTypeOf<StoreDriver>().toExtend<v1.Driver>();
  expectTypeOf<StoreDriver>().toExtend<v2.Driver>();
});

test("other things are no key-value stores", () => {
  expectTypeOf<Map<string, Uint8Array>>().not.toExtend<KeyValueStore>();
  expectTypeOf<Omit<v1.Driver, "getKeys">>().not.toExtend<KeyValueStore>();
});

test("the SDK's instances and ioredis's clients and options fit", () => {
  expectTypeOf<BalenaSDK>().toExtend<BalenaSdk>();
  expectTypeOf<Redis>().toExtend<RedisClient>();
  expectTypeOf<Cluster>().toExtend<RedisClient>();
  expectTypeOf<RedisOptions>().toExtend<RedisConnection>();
});

test("Azure's container clients and its credentials for tokens fit, and no other credentials", () => {
  expectTypeOf<ContainerClient>().toExtend<AzureContainerClient>();
  expectTypeOf<{ client: ContainerClient }>().toExtend<AzureBlobAdapterOptions>();
  expectTypeOf<{
    url: string;
    credential: StorageSharedKeyCredential;
  }>().not.toExtend<AzureBlobAdapterOptions>();
  expectTypeOf<TokenCredential>().toExtend<AzureTokenCredential>();
});
