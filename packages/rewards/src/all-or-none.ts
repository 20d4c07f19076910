/**
 * The results of tasks that belong together; when one fails, the signal that they were started with ends the others.
 * @throws the first failure
 */
export async function allOrNone<Result>(
  signal: AbortSignal | undefined,
  start: (signal: AbortSignal) => readonly Promise<Result>[],
): Promise<Result[]> {
  signal?.throwIfAborted();
  const end = new AbortController();
  const either = signal === undefined ? end.signal : AbortSignal.any([signal, end.signal]);
  try {
    return await Promise.all(start(either));
  } finally {
    end.abort();
  }
}
