import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { type CoinPolicy, coinPolicy, readBias } from '../../../test/run/coin-policy.js';
import { coinRun } from '../../../test/run/coin-run.js';
import { coinServer } from '../../../test/run/coin-server.js';
import type { PairRule, ResponseSampler, SampledRow } from '../../contracts/index.js';
import { entriesOfKind, readRunJournal } from '../../journal/index.js';
import { readMetrics } from '../../storage/index.js';
import { runIterations } from '../run-iterations.js';
import type { ReferenceSource, RunOptions } from '../run-options.js';
import { sampledRows } from '../train-slice.js';

// Whole runs, each of them resumed: a busy machine takes its time for their files.
vi.setConfig({ testTimeout: 60_000 });

async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'metaapo-reference-responses-'));
  onTestFinished(() => rm(directory, { recursive: true }));
  return directory;
}

/** Throws the coin of a model in this process, as it is when it is thrown; stops when it has answered so often. */
function coinThrower(policy: CoinPolicy, answers = Number.POSITIVE_INFINITY): ResponseSampler {
  let left = answers;
  const sampleFrom: ResponseSampler['sampleFrom'] = async function* (model, requests, signal) {
    for await (const answer of coinServer({ bias: (model as CoinPolicy).bias }).sampler.sample(requests, signal)) {
      if (left-- <= 0) throw new Error('stopped');
      yield answer;
    }
  };
  return { id: 'thrower', options: {}, sample: (...args) => sampleFrom(policy, ...args), sampleFrom };
}

/** What became of the references that a run opened. */
interface Opened {
  readonly from: ReferenceSource;
  isDisposed: boolean;
}

const REFERENCE_BIAS = -2;

async function run(output: string, more: Partial<RunOptions> = {}, answers?: number) {
  const policy = coinPolicy();
  const opened: Opened[] = [];
  const openReference = async (from: ReferenceSource) => {
    const one: Opened = { from, isDisposed: false };
    opened.push(one);
    const bias = typeof from === 'string' ? REFERENCE_BIAS : await readBias(from.directory);
    const dispose = (): void => {
      one.isDisposed = true;
    };
    return { ...coinPolicy(bias), dispose };
  };
  const options = {
    ...coinRun(output, policy, coinThrower(policy, answers)),
    openReference,
    responsesFrom: 'both' as const,
  };
  const { iterations } = await runIterations({ ...options, ...more });
  return { iterations: iterations.map(({ seconds: _, ...rest }) => rest), bias: policy.bias, opened };
}

const responsesIn = async (output: string) =>
  entriesOfKind(await readRunJournal(join(output, 'journal.jsonl')), 'responses');

const headsOf = (responses: Awaited<ReturnType<typeof responsesIn>>): number => {
  const all = responses.flatMap((entry) => entry.responses.flatMap(({ tokens }) => tokens));
  return all.reduce((sum, token) => sum + token, 0) / all.length;
};

describe('a run that asks the reference too', () => {
  it('draws as many responses of it, by seeds of their own, and journals whose they are', async () => {
    const [output, alone] = [await temporaryDirectory(), await temporaryDirectory()];
    const { opened, iterations } = await run(output);
    await run(alone, { responsesFrom: 'policy' });
    const journalled = await responsesIn(output);
    const [own, others] = [undefined, 'reference'].map((source) => journalled.filter((one) => one.source === source));
    expect([own!.length, others!.length]).toEqual([12, 12]);
    const first = ({ iteration }: { readonly iteration: number }): boolean => iteration === 0;
    const inOne = (await responsesIn(alone)).filter(first);
    expect(own!.filter(first)).toEqual(inOne);
    expect(inOne.every((entry) => !('source' in entry))).toBe(true);
    expect(headsOf(others!)).toBeLessThan(0.25);
    expect(headsOf(own!)).toBeGreaterThan(0.35);
    expect(opened).toEqual(Array.from({ length: 3 }, () => ({ from: 'first', isDisposed: true })));
    expect(iterations[0]).toMatchObject({
      annotations: { done: 16, ofAll: 16 },
      pairs: { responses: 16 },
      fromReference: { responses: 8, reward: expect.closeTo(16 * headsOf(others!.filter(first)), 6) },
    });
    const lines = (await readMetrics(join(output, 'metrics.jsonl'))).filter((line) => 'pairs/made' in line);
    expect(lines.map((line) => line['responses/reference'])).toEqual([8, 8, 8]);
    const plain = (await readMetrics(join(alone, 'metrics.jsonl'))).filter((line) => 'pairs/made' in line);
    expect(plain.some((line) => 'responses/reference' in line || 'annotation/reference' in line)).toBe(false);
  });

  it('asks the reference of each iteration: the policy while it is its own, then the one before the last', async () => {
    const output = await temporaryDirectory();
    const { opened } = await run(output, { startsAsReference: true, referencePolicy: 'previous' });
    expect(opened.map(({ from }) => from)).toEqual(['start', { directory: join(output, 'iterations', '0', 'model') }]);
    const first = (await responsesIn(output)).filter(({ iteration }) => iteration === 0);
    const texts = first.flatMap(({ responses }) => responses.map(({ text }) => text));
    expect(new Set(texts).size).toBe(texts.length);
    expect(headsOf(first.filter(({ source }) => source === 'reference'))).toBeGreaterThan(0.35);
  });

  it('counts the calls of both in a budget', async () => {
    const { iterations } = await run(await temporaryDirectory(), { budget: { rewardCalls: 24 } });
    const done = iterations.map(({ annotations }) => annotations.done);
    expect(done.reduce((sum, calls) => sum + calls, 0)).toBe(24);
    expect(iterations.map(({ selected }) => selected)).toEqual([2, 2, 2]);
  });

  it('shows pair rules and objectives whose a response is', async () => {
    const output = await temporaryDirectory();
    /** The best of the policy over the best of the reference. */
    const pairs: PairRule = {
      id: 'policy-over-reference',
      options: {},
      pair(responses) {
        const bestOf = (wanted: string) =>
          responses.filter(({ source }) => source === wanted).sort((a, b) => b.reward - a.reward)[0]!;
        return { chosen: bestOf('policy'), rejected: bestOf('reference') };
      },
    };
    const { parts } = coinRun(output, coinPolicy(), coinServer().sampler);
    const policy = coinPolicy();
    const { iterations } = await run(output, { policy, parts: { ...parts, sampler: coinThrower(policy), pairs } });
    expect(iterations.map(({ pairs: counts }) => counts.pairs)).toEqual([4, 4, 4]);
    expect(policy.bias).toBeGreaterThan(0);
    const tokens = Int32Array.of(1);
    const said = { text: '1', tokens, finishReason: 'stop' as const };
    const calls = { scored: 2, scoredOtherwise: 0, spared: 0, unreadableComparisons: 0 };
    const row = { row: 0, prompt: tokens, chosen: tokens, rejected: tokens };
    const rows: readonly SampledRow[] = sampledRows([row], {
      responses: new Map([[0, (['policy', 'reference'] as const).map((source) => ({ ...said, source }))]]),
      rewards: new Map([[0, { rewards: [1, 2], ...calls }]]),
    });
    expect(rows[0]!.responses).toEqual([
      { tokens, reward: 1 },
      { tokens, reward: 2, source: 'reference' },
    ]);
  });

  it('goes on where it stopped, among the draws of the policy or of the reference, to the same end', async () => {
    const straight = await temporaryDirectory();
    const totals = new Set<number>();
    const observer: RunOptions['observer'] = {
      stage: (stage, _, total) => {
        if (stage === 'sample') totals.add(total);
      },
    };
    const expected = await run(straight, { observer });
    expect([...totals]).toEqual([8]);
    for (const draws of [2, 6]) {
      const stopped = await temporaryDirectory();
      await expect(run(stopped, {}, 8 + draws)).rejects.toThrow('stopped');
      expect((await responsesIn(stopped)).filter((entry) => entry.iteration === 1)).toHaveLength(draws);
      const resumed = await run(stopped);
      expect({ ...resumed, opened: [] }).toEqual({ ...expected, opened: [] });
      expect(await responsesIn(stopped)).toEqual(await responsesIn(straight));
    }
  });

  it('is refused before anything is asked, where the sampler draws from the policy alone', async () => {
    const output = await temporaryDirectory();
    const { sampler, events } = coinServer();
    const { parts } = coinRun(output, coinPolicy(), sampler);
    await expect(run(output, { parts })).rejects.toThrow(
      /responsesFrom, sampler coin.*draws from the policy alone, and the reference is to answer too.*such as local/,
    );
    expect(events).toEqual([]);
    expect(await readRunJournal(join(output, 'journal.jsonl'))).toEqual([]);
  });
});
