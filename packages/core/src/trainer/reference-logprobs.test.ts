import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { coinPolicy } from '../../test/run/coin-policy.js';
import { scratchDirectory } from '../../test/scratch-directory.js';
import { referenceLogprobs } from './reference-logprobs.js';

const cacheDirectory = scratchDirectory()('cache');

const rows = Array.from({ length: 1200 }, (_, row) => ({
  row,
  prompt: Int32Array.of(row),
  chosen: Int32Array.of(1, row % 2),
  rejected: Int32Array.of(0),
}));

/** A pass with the number of rows that it computed. */
async function pass(options: { readonly bias?: number; readonly stopAfter?: number; readonly cached?: boolean } = {}) {
  const warnings: string[] = [];
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
    warn: (line) => warnings.push(line),
    signal: controller.signal,
  }).catch((error: Error) => error);
  return { logprobs, computed, warnings };
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

it.each<readonly [string, (whole: Buffer) => Buffer]>([
  [
    'a changed bit',
    (whole) => Buffer.from(whole.map((byte, index) => (index === whole.length - 2 ? byte ^ 0x40 : byte))),
  ],
  ['a missing end', (whole) => whole.subarray(0, -4)],
  ['something else', () => Buffer.from('something else')],
])('says that entries of the cache have %s, and computes their rows anew', async (_, damaged) => {
  const before = await pass();
  expect(before.warnings).toEqual([]);
  for (const name of readdirSync(cacheDirectory)) {
    writeFileSync(join(cacheDirectory, name), damaged(readFileSync(join(cacheDirectory, name))));
  }
  const { computed, logprobs, warnings } = await pass();
  expect(warnings).toEqual(Array.from({ length: 3 }, () => expect.stringContaining('is not as it was written')));
  expect([computed, logprobs]).toEqual([rows.length, before.logprobs]);
  const again = await pass();
  expect([again.computed, again.warnings]).toEqual([0, []]);
});
