// Counts the abort listeners of a signal, on any runtime.

/** From now on: says how many were added and are still there. */
export function watchListeners(signal: AbortSignal): () => number {
  const present = new Map<unknown, { once: boolean }>();
  const [add, remove] = [signal.addEventListener.bind(signal), signal.removeEventListener.bind(signal)];
  signal.addEventListener = (
    type: string,
    listener: EventListener,
    options?: AddEventListenerOptions | boolean,
  ) => {
    if (type === "abort")
      present.set(listener, { once: typeof options === "object" && options.once === true });
    add(type, listener, options);
  };
  signal.removeEventListener = (
    type: string,
    listener: EventListener,
    options?: EventListenerOptions | boolean,
  ) => {
    if (type === "abort") present.delete(listener);
    remove(type, listener, options);
  };
  // Those that are called once have been called.
  return () => [...present.values()].filter(({ once }) => !(once && signal.aborted)).length;
}
