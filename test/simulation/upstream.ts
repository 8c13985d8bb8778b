// One upstream: a source and a `fetch`. Versions change and go; connections break and stand still; some answers are wrong.

import { UpstreamError, VersionNotFoundError } from "../../src/core/errors.ts";
import type { ImageSource, ResolvedImage } from "../../src/core/types.ts";
import type { Random } from "../soak/random.ts";
import { chunkBytes, type Revision } from "./content.ts";
import type { Profile } from "./profile.ts";
import { partFile, partsOf, type UpstreamFile, wholeFile } from "./upstream-files.ts";
import type { SimulatedProcess, World } from "./world.ts";

/** Must turn up nowhere but in requests. */
export const secret = "S3CR3T-of-the-simulation";
const origin = "https://files.example";

interface Version {
  readonly name: string;
  readonly history: Revision[];
  isWithdrawn: boolean;
}

export class SimulatedUpstream {
  readonly versions: Version[] = [];
  profile: Profile;
  /** Until then it refuses everything. */
  downUntilMs = 0;
  /** Bodies that were begun, by version. */
  readonly bodies: string[] = [];
  /** Bytes of bodies, by version. */
  readonly #sent = new Map<string, number>();
  readonly #world: World;
  readonly #random: Random;

  constructor(world: World, profile: Profile) {
    this.#world = world;
    this.#random = world.random("upstream");
    this.profile = profile;
  }

  add(name: string, first: Revision): void {
    this.versions.push({ name, history: [first], isWithdrawn: false });
  }

  current(name: string): Revision {
    return this.versions.find((version) => version.name === name)!.history.at(-1)!;
  }

  /** Bytes of a version's file that were sent. */
  sentOf(name: string): number {
    return this.#sent.get(name) ?? 0;
  }

  source(process: SimulatedProcess): ImageSource {
    return {
      id: "https://api.example",
      resolveDeviceType: async (slug) => {
        await this.#answer(process);
        return slug;
      },
      versions: async () => {
        await this.#answer(process);
        const there = this.versions.filter(({ isWithdrawn }) => !isWithdrawn);
        return there.map(({ name }) => ({ version: name, line: "default" as const, draft: false }));
      },
      request: async (image) => {
        await this.#answer(process);
        return this.#requestOf(image);
      },
    };
  }

  async #answer(process: SimulatedProcess): Promise<void> {
    await this.#wait(process, this.#random.next() * 60);
    if (!this.#isRefusing()) return;
    // A client's own error quotes the address, with a token that the library was never told of.
    if (this.#random.chance(0.5))
      throw new TypeError(`fetch failed: https://api.example/v7?apikey=${secret}`);
    throw new UpstreamError("The simulated API is away", { unavailable: true });
  }

  #wait(process: SimulatedProcess, delayMs: number): Promise<void> {
    return new Promise((resolve) => this.#world.after(delayMs, process, resolve));
  }

  #isRefusing(): boolean {
    return this.#world.nowMs < this.downUntilMs || this.#random.chance(this.profile.upstream.refuses);
  }

  #requestOf({ deviceType, version, fileType, isWhole }: ResolvedImage) {
    const found = this.versions.find(({ name }) => name === version);
    if (!found || found.isWithdrawn) throw new VersionNotFoundError(deviceType, version);
    const headers = { authorization: `Bearer ${secret}` };
    const gzip = this.profile.isPacked && fileType === ".gz";
    const url = `${origin}/${version}?file=${gzip ? "gz" : "img"}&signature=${secret}`;
    if (!this.profile.isInParts || isWhole) return { url, headers, gzip };
    return { parts: partsOf(found.history.at(-1)!, this.profile, url) };
  }

  fetch(process: SimulatedProcess): typeof fetch {
    return async (input, init) => {
      const signal = init?.signal ?? undefined;
      await this.#wait(process, this.#random.next() * 60);
      signal?.throwIfAborted();
      if (this.#isRefusing()) return this.#refusal();
      return this.#respond(process, new URL(String(input)), new Headers(init?.headers), init?.method, signal);
    };
  }

  #refusal(): Response {
    const kind = this.#random.int(0, 2);
    this.#world.note(`upstream: refuses (${["no connection", 503, 429][kind]})`);
    if (kind === 0) throw new TypeError(`fetch failed: ${origin}?signature=${secret}`);
    return answer(kind === 1 ? 503 : 429, { "retry-after": "1" }, empty());
  }

  #respond(
    process: SimulatedProcess,
    url: URL,
    headers: Headers,
    method = "GET",
    signal: AbortSignal | undefined,
  ): Response {
    const name = url.pathname.slice(1);
    const version = this.versions.find((candidate) => candidate.name === name)!;
    if (version.isWithdrawn) return answer(404, {}, empty());
    const revision = version.history.at(-1)!;
    const part = url.searchParams.get("part");
    // The address of a part of a revision that is gone.
    if (part && url.searchParams.get("of") !== revision.name) return answer(404, {}, empty());
    const file = part
      ? partFile(revision, this.profile, Number(part))
      : wholeFile(revision, url.searchParams.get("file") === "gz");
    const facts = this.#factsOf(revision, file);
    const about = `${name} ${file.name}`;
    if (isUnchanged(headers, facts)) {
      this.#world.note(`upstream: ${process.name} ${about} not modified`);
      return answer(304, facts, empty());
    }
    const ifMatch = headers.get("if-match");
    if (ifMatch && ifMatch !== facts["etag"]) return answer(412, {}, empty());
    const span = this.#spanOf(headers, facts, file.bytes.length);
    const shown = { ...facts, "content-length": String(span.to - span.from) };
    if (method === "HEAD") return answer(200, shown, empty());
    this.#world.note(
      `upstream: ${process.name} ${about} ${span.isPart ? `from ${span.from}` : "whole"} of ${revision.name}`,
    );
    if (!span.isPart) this.bodies.push(name);
    const onSent = (bytes: number) => this.#sent.set(name, this.sentOf(name) + bytes);
    const body = this.#body(process, onSent, file.bytes.subarray(span.from, span.to), signal);
    const range = { "content-range": `bytes ${span.from}-${span.to - 1}/${file.bytes.length}` };
    return answer(span.isPart ? 206 : 200, span.isPart ? { ...shown, ...range } : shown, body);
  }

  #factsOf(revision: Revision, file: UpstreamFile): Record<string, string> {
    const { validators } = this.profile;
    const tag = `"${revision.name}-${file.name}"`;
    return {
      "content-type": "application/octet-stream",
      date: new Date(this.#world.wallMs).toUTCString(),
      ...(validators === "strong" && { etag: tag }),
      ...(validators === "weak" && { etag: `W/${tag}` }),
      ...(validators !== "none" && { "last-modified": new Date(revision.modifiedMs).toUTCString() }),
    };
  }

  /** What is sent: the whole, or the range that was asked for, or (wrongly) another one. */
  #spanOf(headers: Headers, facts: Record<string, string>, size: number) {
    const whole = { from: 0, to: size, isPart: false };
    const asked = /^bytes=(\d+)-(\d*)$/.exec(headers.get("range") ?? "");
    const ifRange = headers.get("if-range");
    const isObeyed = !this.#random.chance(this.profile.upstream.answersWrongly / 2);
    const isOther = ifRange && ifRange !== facts["etag"] && isObeyed;
    if (!asked || !this.profile.hasRanges || isOther) return whole;
    if (this.#random.chance(this.profile.upstream.answersWrongly))
      return this.#random.chance(0.5)
        ? whole
        : { from: Math.floor(Number(asked[1]) / 2), to: size, isPart: true };
    const to = asked[2] ? Math.min(size, Number(asked[2]) + 1) : size;
    return Number(asked[1]) < to ? { from: Number(asked[1]), to, isPart: true } : whole;
  }

  #body(
    process: SimulatedProcess,
    onSent: (bytes: number) => void,
    bytes: Uint8Array<ArrayBuffer>,
    signal: AbortSignal | undefined,
  ): ReadableStream<Uint8Array> {
    let at = 0;
    const { breaks, stalls } = this.profile.upstream;
    return new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          signal?.addEventListener("abort", () => controller.error(signal.reason), { once: true });
        },
        pull: async (controller) => {
          await this.#wait(process, this.#random.next() * 100);
          if (signal?.aborted) return;
          if (at === bytes.length) return controller.close();
          if (this.#random.chance(stalls)) return this.#wait(process, 3_600_000);
          if (this.#world.nowMs < this.downUntilMs || this.#random.chance(breaks))
            return this.#break(controller);
          const next = Math.min(bytes.length, at + this.#random.int(1, chunkBytes));
          controller.enqueue(bytes.slice(at, next));
          onSent(next - at);
          at = next;
        },
      },
      { highWaterMark: 0 },
    );
  }

  /** A connection may end as if that were the end. */
  #break(controller: ReadableStreamDefaultController<Uint8Array>): void {
    this.#world.note("upstream: breaks");
    if (this.#random.chance(0.5)) controller.close();
    else controller.error(new TypeError(`terminated: ${origin}?signature=${secret}`));
  }
}

function isUnchanged(headers: Headers, facts: Record<string, string>): boolean {
  const [tag, since] = [headers.get("if-none-match"), headers.get("if-modified-since")];
  if (tag !== null) return tag.replace(/^W\//, "") === facts["etag"]?.replace(/^W\//, "");
  return since !== null && since === facts["last-modified"];
}

const empty = () => new ReadableStream<Uint8Array>({ start: (controller) => controller.close() });

/** As much of a response as the core uses. Node's own would end its body when it is garbage, and nothing repeats when that is. */
function answer(status: number, headers: Record<string, string>, body: ReadableStream<Uint8Array>): Response {
  return { status, ok: status < 300, headers: new Headers(headers), body } as Response;
}
