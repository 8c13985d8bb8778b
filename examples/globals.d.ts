// The globals of Bun and Deno that the examples use. Your project gets their types from `@types/bun` and from Deno.

declare const Bun: {
  serve(options: { port: number; idleTimeout: number; fetch: (request: Request) => Promise<Response> }): {
    readonly url: URL;
  };
};

declare const Deno: {
  readonly args: readonly string[];
  open(
    path: string,
    options: { write: boolean; create: boolean; truncate: boolean },
  ): Promise<{ readonly writable: WritableStream<Uint8Array> }>;
};
