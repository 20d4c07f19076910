import { isMetaapoError } from '@metaapo/core/contracts';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { FUZZ_TARGETS, type FuzzTarget } from './targets.js';

/** What `pnpm fuzz` asks for; without it a short run with the same inputs each time. */
const { METAAPO_FUZZ_TARGET: only, METAAPO_FUZZ_MINUTES: minutes, METAAPO_FUZZ_SEED: seed = '1' } = process.env;
const MOST_MS = 2_000;
const MOST_BYTES = 2 ** 30;

async function tryOne({ parse }: FuzzTarget, input: unknown): Promise<void> {
  const start = performance.now();
  const before = process.memoryUsage().rss;
  try {
    await parse(input as never);
  } catch (error) {
    if (!isMetaapoError(error)) throw error;
    expect(error.message).not.toContain('\u001b');
  }
  expect(performance.now() - start).toBeLessThan(minutes === undefined ? 5 * MOST_MS : MOST_MS);
  expect(process.memoryUsage().rss - before).toBeLessThan(MOST_BYTES);
}

it.each(FUZZ_TARGETS.filter(({ name }) => only === undefined || name === only))(
  '$name refuses what is wrong in words, and ends',
  async (target) => {
    const limits = minutes === undefined ? { numRuns: 60 } : { interruptAfterTimeLimit: Number(minutes) * 60_000 };
    const property = fc.asyncProperty(target.inputs, (input) => tryOne(target, input));
    await fc.assert(property, { numRuns: 1e9, seed: Number(seed), ...limits });
  },
  minutes === undefined ? 120_000 : Number(minutes) * 60_000 + 60_000,
);
