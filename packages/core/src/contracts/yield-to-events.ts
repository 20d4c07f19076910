/**
 * Lets the process see its events (Ctrl-C, timers, sockets) before long work goes on. Promises of synchronous work alone
 * never do: a loop over batches awaits this once a batch.
 * @throws the signal's reason when it is aborted by then
 */
export async function yieldToEvents(signal?: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => setImmediate(resolve));
  signal?.throwIfAborted();
}
