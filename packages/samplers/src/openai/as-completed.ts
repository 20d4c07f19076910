/**
 * The results of tasks in the order in which they are done. After a failure what is done already comes first, then the
 * failure is thrown.
 */
export async function* asCompleted<Result>(tasks: readonly Promise<Result>[]): AsyncGenerator<Result> {
  const done: Result[] = [];
  const failures: unknown[] = [];
  let wake = (): void => undefined;
  for (const task of tasks) {
    task
      .then(
        (result) => done.push(result),
        (reason: unknown) => failures.push(reason),
      )
      .then(() => wake());
  }
  for (let left = tasks.length; left > 0; left--) {
    if (done.length === 0 && failures.length === 0) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
    if (done.length === 0) throw failures[0];
    yield done.shift()!;
  }
}
