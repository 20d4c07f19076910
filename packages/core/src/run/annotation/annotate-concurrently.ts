/** Items in one call of an annotation. */
const ITEMS_A_CALL = 16;

/** Calls of an annotation under way at a time. */
const CALLS = 4;

/** Produces items for annotation until the signal is aborted; `add` hands over what is ready. */
export type Produce<Item> = (add: (items: readonly Item[]) => void, signal: AbortSignal) => Promise<void>;

/**
 * Annotates items while others are still being produced. What comes together or has to wait is annotated together, a few
 * calls at a time, so that calls are filled when annotation is the slower of the two. A failed call aborts the production
 * at once; calls that are under way are always awaited, since they are paid for.
 * @throws the first failure of a call, else that of the production
 */
export async function annotateConcurrently<Item>(
  annotate: (items: readonly Item[]) => Promise<void>,
  signal: AbortSignal | undefined,
  produce: Produce<Item>,
): Promise<void> {
  const stop = new AbortController();
  const either = signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]);
  const waiting: Item[] = [];
  const calls = new Set<Promise<void>>();
  const failures: unknown[] = [];
  const fail = (error: unknown): void => {
    failures.push(error);
    stop.abort();
  };
  const begin = (): void => {
    while (waiting.length > 0 && calls.size < CALLS && failures.length === 0) {
      const call = annotate(waiting.splice(0, ITEMS_A_CALL))
        .catch(fail)
        .then(() => {
          calls.delete(call);
          begin();
        });
      calls.add(call);
    }
  };
  const settle = async (): Promise<void> => {
    begin();
    while (calls.size > 0) await Promise.all(calls);
    if (failures.length > 0) throw failures[0];
  };
  const add = (items: readonly Item[]): void => {
    waiting.push(...items);
    queueMicrotask(begin);
  };
  try {
    await produce(add, either);
  } catch (error) {
    waiting.length = 0;
    await settle();
    throw error;
  }
  await settle();
}
