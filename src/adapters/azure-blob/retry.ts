/** What is tried again. Refusals that pass and lost connections are the client's to retry; a body that breaks off or changes is ours. */

/** How our own client retries: 4 attempts in about a second. Its default would wait 4 seconds before the third. */
export const retryOptions = { maxTries: 4, retryDelayInMs: 100, maxRetryDelayInMs: 10_000 } as const;

const maxAttempts = 4;

/** Whether a read goes on after so many attempts that did not end well. */
export const mayReadOn = (attempts: number): boolean => attempts < maxAttempts;
