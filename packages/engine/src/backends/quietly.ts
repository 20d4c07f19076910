/** Runs an action while the console and Node's deprecation notes are silent: banners of TensorFlow.js' packages. */
export async function quietly<Result>(action: () => Result | Promise<Result>): Promise<Result> {
  const { log, info, warn } = console;
  const { noDeprecation } = process;
  const silent = (): void => undefined;
  Object.assign(console, { log: silent, info: silent, warn: silent });
  process.noDeprecation = true;
  try {
    return await action();
  } finally {
    Object.assign(console, { log, info, warn });
    process.noDeprecation = noDeprecation ?? false;
  }
}
