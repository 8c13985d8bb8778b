/** A balena SDK instance, described by the parts that are used: you don't need the SDK's types to compile. */

/** An instance of the balena SDK: what `getSdk()` or `fromSharedOptions()` of `balena-sdk` returns. */
export interface BalenaSdk {
  /** Its login. */
  readonly auth: {
    /** Resolves with the token. Rejects if nobody is logged in. */
    getToken(): Promise<string>;
    /** Logs in for this instance. */
    loginWithToken(token: string): Promise<void>;
  };
  /** Its client of the API. */
  readonly pine: object;
  /** Its requests. */
  readonly request: object;
}
