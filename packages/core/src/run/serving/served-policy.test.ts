import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { coinPolicy, readBias } from '../../../test/run/coin-policy.js';
import { coinRun } from '../../../test/run/coin-run.js';
import { type CoinServer, type CoinServerOptions, coinServer } from '../../../test/run/coin-server.js';
import type { RunEvents } from '../../contracts/index.js';
import { runIterations } from '../run-iterations.js';
import type { RunOptions } from '../run-options.js';

const PROBES = 4;

async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'metaapo-served-'));
  onTestFinished(() => rm(directory, { recursive: true }));
  return directory;
}

/** A run of a new process: the policy and the server begin with the start model. */
async function run(output: string, server: CoinServer, more: Partial<RunOptions> = {}) {
  const policy = coinPolicy();
  await runIterations({ ...coinRun(output, policy, server.sampler), ...more });
  return policy;
}

/** The same run, stopped before an iteration. */
async function runUntil(output: string, iteration: number): Promise<void> {
  const server = coinServer();
  const observer: RunEvents = {
    iteration(number) {
      if (number === iteration) throw new Error('stopped');
    },
  };
  await expect(run(output, server, { observer })).rejects.toThrow('stopped');
}

/** What a server was asked, probes of one check as one, with directories as iterations. */
function asked(output: string, { events }: CoinServer): readonly string[] {
  const words = events.map((event) =>
    event.kind === 'refresh' ? `refresh ${relative(output, event.directory)}` : event.kind,
  );
  return words.filter((word, index) => word !== 'probe' || words[index - 1] !== 'probe');
}

const biasOf = (output: string, iteration: number) => readBias(join(output, 'iterations', String(iteration), 'model'));

const rewardEvaluation = (options: RunOptions) => ({ rows: options.rows.slice(0, 6), promptOf: options.promptOf });

describe('the servers of a run', () => {
  it('serve the policy of each iteration before it is sampled from', async () => {
    const output = await temporaryDirectory();
    const server = coinServer();
    await run(output, server);
    expect(asked(output, server)).toEqual([
      'probe',
      'sample',
      'refresh iterations/0/model',
      'probe',
      'sample',
      'refresh iterations/1/model',
      'probe',
      'sample',
    ]);
    const sampled = server.events.flatMap((event) => (event.kind === 'sample' ? [event.bias] : []));
    expect(sampled).toEqual([0, await biasOf(output, 0), await biasOf(output, 1)]);
    expect(new Set(sampled).size).toBe(3);
    expect(server.events.filter(({ kind }) => kind === 'probe')).toHaveLength(3 * PROBES);
  });

  it('are told absolute directories', async () => {
    const output = await temporaryDirectory();
    const server = coinServer();
    await run(relative(process.cwd(), output), server);
    expect(asked(output, server)).toContain('refresh iterations/1/model');
  });

  it('serve the trained policy when held-out rewards are sampled, and are not refreshed twice for one policy', async () => {
    const output = await temporaryDirectory();
    const server = coinServer();
    const options = coinRun(output, coinPolicy(), server.sampler);
    await run(output, server, { iterations: 2, rewardEvaluation: rewardEvaluation(options) });
    expect(asked(output, server)).toEqual([
      'probe',
      'sample',
      'sample',
      'refresh iterations/0/model',
      'probe',
      'sample',
      'sample',
      'refresh iterations/1/model',
      'probe',
      'sample',
    ]);
  });

  it('are told of to the observer', async () => {
    const output = await temporaryDirectory();
    const checks: number[] = [];
    const observer: RunEvents = { served: ({ difference }) => void checks.push(difference) };
    await run(output, coinServer({ rounding: 0.01 }), { observer });
    expect(checks).toEqual([0, 1, 2].map(() => expect.closeTo(0.01, 5)));
  });
});

describe('a resumed run', () => {
  it('has the last finished policy served before it samples', async () => {
    const output = await temporaryDirectory();
    await runUntil(output, 2);
    const server = coinServer();
    const policy = await run(output, server);
    expect(asked(output, server)).toEqual(['refresh iterations/1/model', 'probe', 'sample']);
    expect(server.events.at(-1)).toEqual({ kind: 'sample', bias: await biasOf(output, 1) });
    const straight = await temporaryDirectory();
    expect(policy.bias).toBe((await run(straight, coinServer())).bias);
  });

  it('leaves the server alone before the first iteration has ended', async () => {
    const output = await temporaryDirectory();
    await runUntil(output, 0);
    const server = coinServer();
    await run(output, server, { iterations: 1 });
    expect(asked(output, server)).toEqual(['probe', 'sample']);
  });

  it('does not sample from a server that stays at an old policy', async () => {
    const output = await temporaryDirectory();
    await runUntil(output, 1);
    const server = coinServer({ isStuck: true });
    await expect(run(output, server)).rejects.toMatchObject({ code: 'network' });
    expect(asked(output, server)).toEqual(['refresh iterations/0/model', 'probe']);
  });

  it('does not ask a server for what is journalled', async () => {
    const output = await temporaryDirectory();
    const first = coinServer();
    const sampled: RunEvents = {
      step() {
        throw new Error('stopped');
      },
    };
    await expect(run(output, first, { observer: sampled })).rejects.toThrow('stopped');
    const server = coinServer();
    await run(output, server, { iterations: 1 });
    expect(server.events).toEqual([]);
  });
});

describe('a run', () => {
  it.each<[string, CoinServerOptions]>([
    ['of another start model', { bias: 2 }],
    ['that does not follow', { isStuck: true }],
  ])('stops before it samples from a server %s', async (_, given) => {
    const output = await temporaryDirectory();
    const server = coinServer(given);
    const run_ = run(output, server);
    await expect(run_).rejects.toThrow(/does not serve the policy as it is now/);
    expect(server.events.at(-1)!.kind).toBe('probe');
  });

  it('goes on with a warning where nothing can be checked', async () => {
    const output = await temporaryDirectory();
    const warnings: string[] = [];
    const observer: RunEvents = { warning: (text) => void warnings.push(text) };
    await run(output, coinServer({ isSilent: true }), { observer });
    expect(warnings.filter((text) => text.includes('is not checked'))).toHaveLength(1);
  });

  it('samples from a sampler without servers as it is', async () => {
    const output = await temporaryDirectory();
    const server = coinServer();
    const { refresh: _, probe: __, ...sampler } = server.sampler;
    const policy = coinPolicy();
    await runIterations(coinRun(output, policy, sampler));
    expect(server.events.map(({ kind }) => kind)).toEqual(['sample', 'sample', 'sample']);
  });
});
