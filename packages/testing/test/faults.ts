import type { TestRunner } from '../src/index.js';

/** Runs the tests that `declare` declares and gives the faults they found, by title of the test. */
export async function faultsOf(declare: (test: TestRunner) => void): Promise<ReadonlyMap<string, string>> {
  const bodies: [string, () => Promise<void>][] = [];
  declare({
    describe: (_, body) => body(),
    it: (title, body) => bodies.push([title, body]),
  });
  const faults = new Map<string, string>();
  for (const [title, body] of bodies) {
    await body().catch((fault: unknown) => faults.set(title, (fault as Error).message));
  }
  return faults;
}
