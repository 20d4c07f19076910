import { expect, it } from 'vitest';
import type { TokenizedPreference, TrainableModel } from '../contracts/index.js';
import { evaluateRows } from './response-logprobs.js';

const row: TokenizedPreference = {
  row: 0,
  prompt: Int32Array.of(1),
  chosen: Int32Array.of(2),
  rejected: Int32Array.of(3),
};
/** A model that computes without ever waiting, as a backend does. */
const model = (evaluated: () => void): TrainableModel =>
  ({
    evaluate: async (groups: readonly unknown[]) => {
      evaluated();
      return { sumLogprobs: new Float32Array(2 * groups.length) };
    },
  }) as unknown as TrainableModel;

it('lets an interruption in between micro-batches', async () => {
  const controller = new AbortController();
  let evaluations = 0;
  const watched = model(() => {
    evaluations += 1;
    // As a signal of the system would: from an event, not from within the loop.
    if (evaluations === 2) setImmediate(() => controller.abort());
  });
  const rows = Array.from({ length: 50 }, () => row);
  await expect(evaluateRows(watched, rows, 3, { signal: controller.signal })).rejects.toThrow();
  expect(evaluations).toBeLessThan(5);
});
