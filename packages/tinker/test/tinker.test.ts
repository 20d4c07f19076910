import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { inspect } from 'node:util';
import type { TrainingUse } from '@metaapo/core/contracts';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { tinker } from '../src/index.js';
import { smallModel } from './small-model.js';
import { smallServer } from './small-server.js';

vi.setConfig({ testTimeout: 60_000 });

const optimizer = { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0 };
const use: TrainingUse = { optimizer, seed: 1, longestRow: 16 };
const groups = [{ prompt: Int32Array.of(1, 2), responses: [Int32Array.of(3, 1), Int32Array.of(2)] }];

/** One update of a policy. */
async function step(
  model: Awaited<ReturnType<Awaited<ReturnType<typeof smallModel>>['source']['openPolicy']>>['model'],
  number: number,
): Promise<void> {
  await model.backward(await model.forward(groups), { perResponse: Float32Array.of(-1, 1) });
  await model.apply({ ...optimizer, learningRate: 0.1, step: number });
}

describe('a service', () => {
  it.each([
    ['skyrl-jax', 'json', 'ignored'],
    ['skyrl-train', 'json', 'kept'],
    ['tinker', 'protobuf', 'refused'],
  ] as const)('is found to be %s, with passes as %s and repeated numbers %s', async (kind, wire, repeats) => {
    const server = await smallServer({ kind, repeats, wires: [wire], vocabulary: 5 });
    onTestFinished(server.close);
    const told: string[] = [];
    const text = { eosTokenIds: [0], vocabularySize: 5, contextLength: 64, fingerprint: 'tiny' };
    const source = tinker(
      { url: server.url, base: 'tiny' },
      { env: {}, report: (line) => told.push(line), describeText: async () => text, times: { retryDelayMs: 1 } },
    );
    const own = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.01, maxGradNorm: 1 };
    await source.openPolicy({ ...use, optimizer: kind === 'skyrl-train' ? own : optimizer });
    await source.dispose?.();
    expect(told).toEqual([
      `Service: ${server.url} computes like ${kind}; passes as ${wire}; repeated requests are ${repeats}`,
    ]);
    expect(server.service.modelIds()).toEqual([]);
  });

  it('that has another model says which', async () => {
    const { source } = await smallModel({}, { base: 'huge' });
    await expect(source.openPolicy(use)).rejects.toThrow('does not have this model. Expected tiny; got huge');
  });

  it('is told that its sessions are wanted while this thread is busy', async () => {
    const server = await smallServer({ kind: 'skyrl-jax', repeats: 'ignored', wires: ['json'], vocabulary: 5 });
    onTestFinished(server.close);
    const text = { eosTokenIds: [0], vocabularySize: 5, contextLength: 64, fingerprint: 'tiny' };
    const source = tinker(
      { url: server.url, base: 'tiny' },
      { env: {}, describeText: async () => text, times: { retryDelayMs: 1, beatMs: 20 } },
    );
    await source.openPolicy(use);
    const beats = (): number => server.seen.filter(({ path }) => path === 'session_heartbeat').length;
    await vi.waitFor(() => expect(beats()).toBeGreaterThan(1), { timeout: 20_000 });
    await source.dispose?.();
    const last = beats();
    await wait(100);
    expect(beats()).toBeLessThanOrEqual(last + 1);
  });
});

it('sends what belongs together before it waits for any of it', async () => {
  let wanted = 0;
  const { source } = await smallModel({ isReady: (passes) => passes >= wanted }, { server: 'skyrl-jax' });
  const { model } = await source.openPolicy(use);
  const many = Array.from({ length: 6 }, () => groups[0]!);
  // Four sequences a request: three requests are there before the first result is given. Two passes were sent to find it out.
  wanted = 2 + 3;
  const ticket = await model.forward(many);
  wanted += 3;
  await model.backward(ticket, { perResponse: ticket.sumLogprobs.map(() => 1) });
  expect((await model.apply({ ...optimizer, learningRate: 0.1, step: 1 })).gradientNorm).toBeGreaterThan(0);
});

describe('an interruption', () => {
  it('lets what has begun be saved, and ends the wait for a service that is gone', async () => {
    const server = await smallServer({ kind: 'skyrl-jax', repeats: 'ignored', wires: ['json'], vocabulary: 5 });
    const stop = new AbortController();
    const source = tinker(
      { url: server.url, base: 'tiny', patienceSeconds: 3600 },
      {
        env: {},
        signal: stop.signal,
        describeText: async () => ({ eosTokenIds: [0], vocabularySize: 5, contextLength: 64, fingerprint: 'tiny' }),
        times: { retryDelayMs: 1, graceMs: 50 },
      },
    );
    const directory = await mkdtemp(join(tmpdir(), 'metaapo-interrupted-'));
    onTestFinished(() => rm(directory, { recursive: true, force: true }));
    const { model } = await source.openPolicy(use);
    await step(model, 1);
    stop.abort();
    await model.saveState(join(directory, 'state'));
    expect(JSON.parse(await readFile(join(directory, 'state', 'service.json'), 'utf8'))).toMatchObject({ updates: 1 });
    await server.close();
    await expect(model.evaluate(groups)).rejects.toThrow('cannot be reached');
    await source.dispose?.();
  });
});

describe('the key', () => {
  it('is sent from the environment, and shown by no error and no option', async () => {
    const server = await smallServer({
      ...{ kind: 'skyrl-jax', repeats: 'ignored', wires: ['json'], vocabulary: 5 },
      fault: (path) => (path === 'create_session' ? 'failed' : undefined),
    });
    onTestFinished(server.close);
    const source = tinker(
      { url: server.url, base: 'tiny', apiKeyVariable: 'SERVICE_KEY', patienceSeconds: 0 },
      {
        env: { SERVICE_KEY: 'tml-secret-key' },
        describeText: async () => ({ eosTokenIds: [0], vocabularySize: 5, contextLength: 64, fingerprint: 'tiny' }),
        times: { retryDelayMs: 1, graceMs: 50 },
      },
    );
    const error = await source.openPolicy(use).catch((cause: unknown) => cause);
    await source.dispose?.();
    expect(server.seen[0]!.headers['x-api-key']).toBe('tml-secret-key');
    expect(inspect([error, source.options], { depth: 9 })).not.toContain('secret');
  });

  it('has to be set', () => {
    const make = () =>
      tinker({ url: 'http://a', base: 'b', apiKeyVariable: 'NONE' }, { env: {}, describeText: () => Promise.reject() });
    expect(make).toThrow('the API key is not set');
  });
});

describe('staleness', () => {
  it('0 draws from the weights of the last step, a larger one from those of before', async () => {
    for (const [staleness, saves] of [
      [0, 3],
      [1, 2],
      [5, 1],
    ] as const) {
      const { source, server } = await smallModel({ kind: 'tinker', repeats: 'kept' }, { staleness });
      const { model } = await source.openPolicy(use);
      for (let number = 1; number <= 3; number++) {
        const request = {
          prompt: Int32Array.of(1),
          count: 1,
          maxNewTokens: 3,
          stopTokenIds: [0],
          temperature: 1,
          seed: 1,
        };
        // Many at a time, which share what is saved.
        const requests = Array.from({ length: 8 }, () => request);
        for await (const { generations } of model.generate!(requests)) expect(generations).toHaveLength(1);
        if (number < 3) await step(model, number);
      }
      expect(server.seen.filter(({ path }) => path === 'save_weights_for_sampler')).toHaveLength(saves);
    }
  });

  it('is refused where an earlier checkpoint would take the place of the trained weights', async () => {
    const { source } = await smallModel({}, { staleness: 1 });
    await expect(source.openPolicy(use)).rejects.toThrow(
      /staleness: .*last step alone.*in the place of the trained weights/,
    );
  });
});

describe('what cannot be drawn', () => {
  const request = { prompt: Int32Array.of(1), count: 1, maxNewTokens: 3, stopTokenIds: [0], temperature: 1, seed: 1 };
  it.each([
    ['minP', { minP: 0.1 }],
    ['repetitionPenalty', { repetitionPenalty: 1.2 }],
    ['stop texts', { stopTexts: ['x'] }],
  ])('%s is refused before a request is sent', async (name, more) => {
    const { source, server } = await smallModel();
    const { model } = await source.openReference('start', {});
    await expect(
      model.generate!([{ ...request, ...more }])
        [Symbol.asyncIterator]()
        .next(),
    ).rejects.toThrow(name);
    expect(server.seen.filter(({ path }) => path === 'asample')).toEqual([]);
  });
});

it('takes a response that stops without its end for one that has it', async () => {
  const { source } = await smallModel({ leavesOutEnd: true });
  const { model } = await source.openReference('start', {});
  const request = { prompt: Int32Array.of(1), count: 8, maxNewTokens: 40, stopTokenIds: [0], temperature: 1, seed: 1 };
  for await (const { generations } of model.generate!([request])) {
    for (const { tokens, logprobs, finishReason } of generations) {
      expect([tokens.at(-1), finishReason]).toEqual([0, 'stop']);
      expect(logprobs.at(-1)).toBeNaN();
    }
  }
});
