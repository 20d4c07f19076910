import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { coinPolicy } from '../../test/run/coin-policy.js';
import { coinRun } from '../../test/run/coin-run.js';
import { coinServer } from '../../test/run/coin-server.js';
import type { Metrics, RewardModel, Tracker } from '../contracts/index.js';
import { readMetrics } from '../storage/index.js';
import { runIterations } from './run-iterations.js';
import type { RunOptions } from './run-options.js';
import { ITERATION_METRICS } from './summary/iteration-metrics.js';

// Whole runs, each of them resumed: a busy machine takes its time for their files.
vi.setConfig({ testTimeout: 60_000 });

async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'metaapo-run-'));
  onTestFinished(() => rm(directory, { recursive: true }));
  return directory;
}

/** A run of a new process with this reward model, one held-out response an iteration for each of four rows. */
async function run(output: string, rewardModel: RewardModel, more: Partial<RunOptions> = {}) {
  const policy = coinPolicy();
  const options = coinRun(output, policy, coinServer().sampler);
  const rewardEvaluation = { rows: options.rows.slice(0, 4), promptOf: options.promptOf };
  const parts = { ...options.parts, rewardModel, ...more.parts };
  const summary = await runIterations({ ...options, rewardEvaluation, ...more, parts });
  return { ...summary, bias: policy.bias };
}

/** The number of heads, by a scorer that gives up after so many calls. */
function heads(calls = Number.POSITIVE_INFINITY, fingerprint = 'heads') {
  const paid: string[] = [];
  let left = calls;
  const model: RewardModel = {
    id: 'heads',
    options: {},
    fingerprint,
    async score(requests) {
      if (left-- <= 0) throw new Error('the scorer is down');
      paid.push(...requests.map(({ prompt, response }) => `${prompt} ${response}`));
      return Float32Array.from(requests, ({ response }) => response.split('1').length - 1);
    },
  };
  return { paid, model };
}

describe('rewards in a run', () => {
  it('are never paid twice, wherever it stops', async () => {
    const straight = heads();
    const expected = await run(await temporaryDirectory(), straight.model);
    expect(new Set(straight.paid).size).toBe(straight.paid.length);
    for (const calls of [0, 1, 2, 4]) {
      const output = await temporaryDirectory();
      const first = heads(calls);
      await expect(run(output, first.model)).rejects.toThrow('the scorer is down');
      const second = heads();
      const resumed = await run(output, second.model);
      expect([...first.paid, ...second.paid].sort()).toEqual(straight.paid.toSorted());
      expect(resumed.bias).toBe(expected.bias);
      const timeless = ({ iterations, rewardBefore }: typeof resumed) => [
        rewardBefore,
        iterations.map(({ seconds: _, ...one }) => one),
      ];
      expect(timeless(resumed)).toEqual(timeless(expected));
    }
  });

  it('of another reward model are not mixed with those of the first', async () => {
    const output = await temporaryDirectory();
    const first = heads(2);
    await expect(run(output, first.model)).rejects.toThrow('the scorer is down');
    const warnings: string[] = [];
    const other = heads(Number.POSITIVE_INFINITY, 'heads, of other weights');
    const observer = { warning: (text: string) => void warnings.push(text) };
    await run(output, other.model, { observer });
    expect(warnings.filter((text) => text.includes('reward model is another one'))).toHaveLength(1);
    expect(other.paid).toEqual(expect.arrayContaining(first.paid.filter((text) => !isHeldOut(text, first.paid))));
  });

  it('that cannot be read leave a run going that is resumed', async () => {
    const output = await temporaryDirectory();
    const none: RewardModel = {
      ...heads().model,
      score: async (requests) => new Float32Array(requests.length).fill(NaN),
    };
    const parts = { ...coinRun(output, coinPolicy(), coinServer().sampler).parts };
    const nothing = { ...parts.pairs!, pair: () => ({ reason: 'too-few' }) as const };
    const summary = await run(output, none, { parts: { ...parts, rewardModel: none, pairs: nothing } });
    expect(summary.rewardBefore).toBeUndefined();
    const again = await run(output, none);
    expect(again.rewardBefore).toBeUndefined();
    expect(again.iterations.map(({ pairs }) => pairs.unreadable)).toEqual([8, 8, 8]);
  });
});

/** What was paid first is of held-out rows: their rewards before the first iteration are known. */
const isHeldOut = (text: string, paid: readonly string[]): boolean => paid.indexOf(text) < 4;

describe('the metrics of iterations', () => {
  it('are written once each, with counts, also by a resumed run', async () => {
    const output = await temporaryDirectory();
    const logged: Metrics[] = [];
    const tracker: Tracker = {
      ...{ id: 'list', options: {}, close: () => undefined },
      log: (_, metrics) => void ('pairs/made' in metrics && logged.push(metrics)),
    };
    const { parts } = coinRun(output, coinPolicy(), coinServer().sampler);
    const { model: rewardModel } = heads();
    await run(output, rewardModel, { parts: { ...parts, rewardModel }, observer: tracker });
    await run(output, rewardModel);
    const lines = (await readMetrics(join(output, 'metrics.jsonl'))).filter((line) => 'pairs/made' in line);
    expect(lines).toHaveLength(3);
    expect(lines[0]).toMatchObject({ iteration: 0, step: 2, 'pairs/made': 4, 'responses/count': 8, 'pairs/tie': 0 });
    expect(logged).toEqual(lines.map(({ step: _, ...metrics }) => metrics));
    const names = new Set([...Object.keys(ITERATION_METRICS), 'iteration', 'step']);
    for (const name of Object.keys(lines[0]!)) expect(names).toContain(name);
  });
});
