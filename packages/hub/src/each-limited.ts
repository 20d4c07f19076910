/**
 * Runs a task for every item, so many at a time. After the first failure no further one starts, `stop` is called to end
 * those that run, and when all have ended the failure is thrown.
 */
export async function eachLimited<T>(
  items: readonly T[],
  limit: number,
  task: (item: T) => Promise<void>,
  stop: () => void,
): Promise<void> {
  const remaining = [...items];
  const failures: unknown[] = [];
  const work = async (): Promise<void> => {
    for (let item = remaining.shift(); item !== undefined; item = remaining.shift()) await task(item);
  };
  const fail = (error: unknown): void => {
    remaining.length = 0;
    failures.push(error);
    stop();
  };
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, () => work().catch(fail)));
  if (failures.length > 0) throw failures[0];
}
