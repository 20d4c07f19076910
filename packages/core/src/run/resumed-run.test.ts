import { appendFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { coinPolicy } from '../../test/run/coin-policy.js';
import { coinObjective, coinRun, metaLearner as half } from '../../test/run/coin-run.js';
import { coinServer } from '../../test/run/coin-server.js';
import type { MetaFeatures, MetaLearner, Metrics } from '../contracts/index.js';
import { readJournal, readMetrics } from '../storage/index.js';
import { runIterations } from './run-iterations.js';
import type { RunOptions } from './run-options.js';

async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'metaapo-resumed-'));
  onTestFinished(() => rm(directory, { recursive: true }));
  return directory;
}

async function run(output: string, more: Partial<RunOptions> = {}) {
  const policy = coinPolicy();
  const summary = await runIterations({ ...coinRun(output, policy, coinServer().sampler), ...more });
  return { ...summary, bias: policy.bias };
}

/** A run that stops at a step counted over all iterations: two steps each. */
async function stopAt(output: string, wanted: number, more: Partial<RunOptions> = {}): Promise<void> {
  let steps = 0;
  const observer = {
    step() {
      if (++steps === wanted) throw new Error('stopped');
    },
  };
  await expect(run(output, { ...more, observer })).rejects.toThrow('stopped');
}

const otherRows = (options: RunOptions) => ({ rows: options.rows.slice(1), key: { recipe: 'coin', data: 'others' } });

describe('a resumed run', () => {
  it('ends with the weights and the figures of the undisturbed one', async () => {
    const [straight, stopped] = [await temporaryDirectory(), await temporaryDirectory()];
    const expected = await run(straight);
    await stopAt(stopped, 3);
    const resumed = await run(stopped);
    expect(resumed.bias).toBe(expected.bias);
    const figures = ({ iterations }: typeof resumed) => iterations.map(({ seconds: _, ...rest }) => rest);
    expect(figures(resumed)).toEqual(figures(expected));
  });

  it('keeps the seconds of the process before', async () => {
    const output = await temporaryDirectory();
    await stopAt(output, 1);
    const before = await readJournal(join(output, 'journal.jsonl'), ({ kind }) => kind === 'seconds');
    const { iterations } = await run(output);
    const earlier = before[0]!.seconds as Record<string, number>;
    expect(earlier.sample).toBeGreaterThan(0);
    for (const [stage, seconds] of Object.entries(earlier)) {
      expect(iterations[0]!.seconds[stage as 'sample']).toBeGreaterThanOrEqual(seconds);
    }
  });

  it('with other data, another start model or backend is refused, with what differs', async () => {
    const output = await temporaryDirectory();
    await stopAt(output, 1);
    const given = coinRun(output, coinPolicy(), coinServer().sampler);
    await expect(run(output, { ...otherRows(given) })).rejects.toThrow(
      /not what the run was started with\. .*changed: the training rows.*--allow-changes/,
    );
    const policy = { ...coinPolicy(0.5), computedBy: 'a GPU' };
    await expect(run(output, { policy })).rejects.toThrow(/weights of the start model; the backend or precision/);
  });

  it('with another input that decides numbers is refused by its name, or goes on where that is allowed', async () => {
    const output = await temporaryDirectory();
    const keyWith = (reference: string) => ({ recipe: 'coin', data: 'coin', inputs: { 'the reference': reference } });
    await stopAt(output, 1, { key: keyWith('a') });
    await expect(run(output, { key: keyWith('b') })).rejects.toThrow(/changed: the reference\. .*--allow-changes/);
    await expect(run(output, { key: { recipe: 'coin', data: 'coin' } })).rejects.toThrow(/changed: the reference\./);
    const warnings: string[] = [];
    const observer = { warning: (text: string) => void warnings.push(text) };
    await run(output, { key: keyWith('b'), allowChanges: true, observer });
    expect(warnings).toEqual(['changed since the run was started: the reference']);
    await run(output, { key: keyWith('b') });
  });

  it.each([
    ['is gone', (checkpoint: string) => rm(checkpoint, { recursive: true })],
    ['was changed', (checkpoint: string) => appendFile(join(checkpoint, 'progress.json'), ' ')],
  ])('says what is lost when the checkpoint of the iteration before %s', async (_, damage) => {
    const output = await temporaryDirectory();
    await stopAt(output, 4, { saveEvery: 1 });
    await damage(join(output, 'iterations', '0', 'checkpoint'));
    await expect(run(output)).rejects.toThrow(
      /Restore \S*iterations\/0\/checkpoint from a copy.*another run, whose model may be \S*iterations\/0\/model/,
    );
  });

  it('leaves no rows out in other batches or slices, also where changes are allowed', async () => {
    const output = await temporaryDirectory();
    await stopAt(output, 4, { saveEvery: 1 });
    const allowed = { allowChanges: true };
    await expect(run(output, { ...allowed, batchSize: 4 })).rejects.toThrow(
      /rows would be left out or trained twice, since the batches .*Expected 4 rows, 2 a step.*got 4 rows, 4 a step/,
    );
    await expect(run(output, { ...allowed, iterations: 6 })).rejects.toThrow(
      /since the iterations .*Set promptsPerIteration to 4/,
    );
    const { iterations } = await run(output, { ...allowed, iterations: 2, promptsPerIteration: 4 });
    expect(iterations.map(({ rows }) => rows)).toEqual([4, 4]);
  });

  it('begins the iteration under way anew where other data are allowed, also when stopped again', async () => {
    const output = await temporaryDirectory();
    const warnings: string[] = [];
    await stopAt(output, 4, { saveEvery: 1 });
    const others = otherRows(coinRun(output, coinPolicy(), coinServer().sampler));
    const allowed = { ...others, allowChanges: true, iterations: 2 };
    const observer = {
      warning: (text: string) => void warnings.push(text),
      step: () => {
        throw new Error('stopped');
      },
    };
    await expect(run(output, { ...allowed, observer })).rejects.toThrow('stopped');
    expect(warnings).toContain(
      'changed since the run was started: the training rows (files, tokenizer or data section)',
    );
    const { iterations } = await run(output, { ...others, iterations: 2 });
    expect(iterations[1]!.rows).toBe(5);
    const sampled = await readJournal(join(output, 'journal.jsonl'), ({ kind }) => kind === 'responses');
    expect(sampled.filter(({ iteration }) => iteration === 1).map(({ row }) => row)).toEqual([
      4, 5, 6, 7, 7, 8, 9, 10, 11,
    ]);
  });
});

describe('a run', () => {
  it('shows entropies to a meta-learner that reads them, from the journal when resumed', async () => {
    const parts = (seen: string[]): Partial<RunOptions> => {
      const given = coinRun('', coinPolicy(), coinServer().sampler).parts;
      const entropiesOf = ({ chosenEntropy, rejectedEntropy }: MetaFeatures): string =>
        [...chosenEntropy!, ...rejectedEntropy!].map((nats) => nats.toFixed(6)).join(' ');
      const metaLearner: MetaLearner = {
        ...half,
        readsEntropy: true,
        weights: (state, features) => {
          seen.push(entropiesOf(features));
          return half.weights(state, features);
        },
        update: (state, buffer) => {
          seen.push(`update ${entropiesOf(buffer)}`);
          return half.update(state, buffer);
        },
      };
      const selection = { ...given.selection, readsScores: true };
      return { parts: { ...given, objective: coinObjective(metaLearner, 2), selection }, saveEvery: 1 };
    };
    const [straight, stopped] = [await temporaryDirectory(), await temporaryDirectory()];
    const [all, rest]: [string[], string[]] = [[], []];
    await run(straight, parts(all));
    // A coin that is fair has an entropy of ln 2 a throw.
    expect(all[0]).toBe(Array(8).fill(Math.LN2.toFixed(6)).join(' '));
    expect(all.filter((line) => line.startsWith('update')).length).toBeGreaterThan(0);
    await stopAt(stopped, 3, parts([]));
    await run(stopped, { ...parts(rest) });
    expect(all.slice(-rest.length)).toEqual(rest);
    expect(rest.length).toBeGreaterThan(4);
  });

  it('spares the scores where the selection rule reads none', async () => {
    const output = await temporaryDirectory();
    const stages: string[] = [];
    const { iterations } = await run(output, { observer: { stage: (stage) => void stages.push(stage) } });
    expect(stages).not.toContain('score');
    expect(iterations[0]).toMatchObject({ weightHistogram: [], selected: 4 });
    expect(iterations[0]!.tokens.score).toBeUndefined();
    const reading = coinRun(output, coinPolicy(), coinServer().sampler).parts;
    const parts = { ...reading, selection: { ...reading.selection, readsScores: true } };
    const scored = await run(await temporaryDirectory(), { parts });
    expect(scored.iterations[0]!.weightHistogram.reduce((sum, count) => sum + count, 0)).toBe(4);
    // Four pairs of a prompt of one token with two responses of three.
    expect(scored.iterations[0]!.tokens.score).toBe(4 * 7);
  });

  it('writes the figures of each iteration into the metrics, once, and to trackers', async () => {
    const output = await temporaryDirectory();
    const logged: Metrics[] = [];
    const tracker = {
      id: 'list',
      options: {},
      log: async (_: number, m: Metrics) => void logged.push(m),
      close: async () => undefined,
    };
    await stopAt(output, 3);
    const { iterations } = await run(output, { observer: tracker });
    const lines = (await readMetrics(join(output, 'metrics.jsonl'))).filter((line) => 'pairs/made' in line);
    expect(lines.map(({ step, iteration }) => [step, iteration])).toEqual([
      [2, 0],
      [4, 1],
      [6, 2],
    ]);
    expect(lines[0]).toMatchObject({
      'selection/share': 1,
      'responses/scored': 8,
      'responses/saved': 0,
      'annotation/all': iterations[0]!.rewards.all,
      'pairs/made': 4,
      'responses/truncated': 8,
    });
    expect(logged.filter((metrics) => 'pairs/made' in metrics)).toHaveLength(2);
  });

  it('keeps to a budget that is spread over its iterations', async () => {
    const { iterations } = await run(await temporaryDirectory(), { budget: { share: 0.5 } });
    expect(iterations.map(({ selected }) => selected)).toEqual([2, 2, 2]);
    const calls = await run(await temporaryDirectory(), { budget: { rewardCalls: 10 } });
    expect(calls.iterations.map(({ selected }) => selected)).toEqual([1, 2, 2]);
  });
});
