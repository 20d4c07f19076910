import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { coinPolicy } from '../../test/run/coin-policy.js';
import { referenceLogprobs } from './reference-logprobs.js';

const cacheDirectory = mkdtempSync(join(tmpdir(), 'metaapo-reference-'));
afterAll(() => rmSync(cacheDirectory, { recursive: true, force: true }));

const rows = Array.from({ length: 1200 }, (_, row) => ({
  row,
  prompt: Int32Array.of(row),
  chosen: Int32Array.of(1, row % 2),
  rejected: Int32Array.of(0),
}));

/** A pass with the number of rows that it computed. */
async function pass(options: { readonly bias?: number; readonly stopAfter?: number; readonly cached?: boolean } = {}) {
  const controller = new AbortController();
  const model = coinPolicy(options.bias);
  let computed = 0;
  const evaluate: typeof model.evaluate = async (groups) => {
    computed += groups.length;
    if (computed >= (options.stopAfter ?? Number.POSITIVE_INFINITY)) controller.abort();
    return model.evaluate(groups);
  };
  const logprobs = await referenceLogprobs({
    model: { ...model, evaluate },
    rows,
    microBatchTokens: 256,
    ...(options.cached !== false && { cacheDirectory }),
    signal: controller.signal,
  }).catch((error: Error) => error);
  return { logprobs, computed };
}

it('goes on after an interruption where the last chunk ended, and computes nothing twice', async () => {
  const straight = await pass({ cached: false });
  const stopped = await pass({ stopAfter: 700 });
  expect(stopped.logprobs).toBeInstanceOf(Error);
  const resumed = await pass();
  expect(resumed.computed).toBe(rows.length - 512);
  expect(resumed.logprobs).toEqual(straight.logprobs);
  const again = await pass();
  expect([again.computed, again.logprobs]).toEqual([0, straight.logprobs]);
  expect((await pass({ bias: 1 })).computed).toBe(rows.length);
});
