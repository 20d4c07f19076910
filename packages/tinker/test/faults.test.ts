import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ModelSource, OptimizerStep, PromptGroup, TextModel } from '@metaapo/core/contracts';
import { describe, expect, it, onTestFinished } from 'vitest';
import { sourceOf } from './small-model.js';
import { type Fault, type SmallServerOptions, smallServer } from './small-server.js';
import { numbersOf } from './tiny-model.js';

const STEPS = 24;
/** Faults of each run: the five runs together have 500 and more. */
const FAULTS = 110;
const REPLY_MS = 150;

const ADAM = { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0 };
/** What a service of SkyRL-Train uses whatever it is told. */
const OWN = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.01, maxGradNorm: 1 };

const GROUPS: readonly PromptGroup[] = [
  { prompt: Int32Array.of(1, 2, 3), responses: [Int32Array.of(2, 3, 1), Int32Array.of(3, 3)] },
  { prompt: Int32Array.of(3), responses: [Int32Array.of(1, 2), Int32Array.of(4)] },
  { prompt: Int32Array.of(2, 1), responses: [Int32Array.of(1, 1, 2, 3), Int32Array.of(3, 2), Int32Array.of(2, 1, 3)] },
];

/** The share of requests that something happens to, and what: those that make the client wait are few. */
const SHARE = 0.22;
const KINDS: readonly Fault[] = [
  ...(['dropped', 'lost', 'twice', 'failed', 'busy', 'lost', 'restart', 'dropped', 'failed', 'lost', 'twice'] as const),
  'late',
];

/** Faults at random places, always the same ones for a seed. */
function faultsOf(seed: number): { readonly fault: (path: string) => Fault | undefined; readonly count: () => number } {
  const random = numbersOf(seed);
  let count = 0;
  return {
    count: () => count,
    fault(path) {
      if (count === FAULTS || path === 'session_heartbeat' || random() > SHARE) return undefined;
      count += 1;
      return KINDS[Math.floor(random() * KINDS.length)];
    },
  };
}

/** What a training ended with. */
interface Trained {
  readonly logprobs: readonly number[];
  readonly norms: readonly number[];
  readonly drawn: readonly number[];
  /** Updates that the service counts. */
  readonly updates: readonly (number | undefined)[];
}

/** Trains, saves, draws and goes back, as a run does. */
async function train(
  server: Awaited<ReturnType<typeof smallServer>>,
  step: Omit<OptimizerStep, 'learningRate' | 'step'>,
): Promise<Trained> {
  const source: ModelSource = sourceOf(server.url, { saveEvery: 2, download: false, patienceSeconds: 30 }, REPLY_MS);
  const directory = await mkdtemp(join(tmpdir(), 'metaapo-faults-'));
  try {
    const policy = await source.openPolicy({ optimizer: step, seed: 3, longestRow: 8 });
    const norms: number[] = [];
    const drawn: number[] = [];
    const state = join(directory, 'state');
    // Steps 11 to 13 are done, left, and done again from the state of 10.
    for (const number of [...upTo(1, 13), ...upTo(11, STEPS)]) {
      if (number === 11 && norms.length > 10) await policy.model.loadState(state);
      for (const group of GROUPS) {
        const ticket = await policy.model.forward([group]);
        await policy.model.backward(ticket, { perResponse: ticket.sumLogprobs.map((sum) => sum * 0.1) });
      }
      const { gradientNorm } = await policy.model.apply({ ...step, learningRate: 0.05, step: number });
      norms.push(gradientNorm!);
      if (number % 8 === 0) drawn.push(...(await drawnBy(policy)));
      if (number === 10) await policy.model.saveState(state);
    }
    const { sumLogprobs } = await policy.model.evaluate(GROUPS);
    const updates = server.service.modelIds().map((id) => server.service.updatesOf(id));
    return { logprobs: [...sumLogprobs], norms, drawn, updates };
  } finally {
    await source.dispose?.();
    await rm(directory, { recursive: true, force: true });
  }
}

const upTo = (from: number, last: number): readonly number[] =>
  Array.from({ length: last - from + 1 }, (_, index) => from + index);

async function drawnBy({ model }: TextModel): Promise<number[]> {
  const request = {
    prompt: Int32Array.of(1, 2),
    count: 2,
    maxNewTokens: 5,
    stopTokenIds: [0],
    temperature: 1,
    seed: 11,
  };
  const ids: number[] = [];
  for await (const { generations } of model.generate!([request]))
    ids.push(...generations.flatMap(({ tokens }) => [...tokens]));
  return ids;
}

async function trainedOn(
  options: Omit<SmallServerOptions, 'vocabulary'>,
  step: Omit<OptimizerStep, 'learningRate' | 'step'>,
): Promise<Trained> {
  const server = await smallServer({ vocabulary: 5, maxModels: 100_000, lateMs: 2 * REPLY_MS, ...options });
  onTestFinished(server.close);
  return train(server, step);
}

type Case = Pick<SmallServerOptions, 'kind' | 'repeats' | 'wires'>;

describe('a training on a service that fails in every way', () => {
  it.each<Case & { readonly step: Omit<OptimizerStep, 'learningRate' | 'step'> }>([
    { kind: 'skyrl-jax', repeats: 'ignored', wires: ['json'], step: ADAM },
    { kind: 'skyrl-jax', repeats: 'kept', wires: ['protobuf'], step: ADAM },
    { kind: 'skyrl-train', repeats: 'kept', wires: ['json'], step: OWN },
    { kind: 'tinker', repeats: 'ignored', wires: ['protobuf'], step: { ...ADAM, maxGradNorm: 0.5 } },
    { kind: 'tinker', repeats: 'refused', wires: ['protobuf'], step: ADAM },
  ])(
    'applies every step once: $kind, $wires, repeated numbers $repeats',
    { timeout: 120_000 },
    async ({ step, ...options }) => {
      const undisturbed = await trainedOn(options, step);
      const { fault, count } = faultsOf(7);
      const disturbed = await trainedOn({ ...options, fault }, step);
      expect(count()).toBe(FAULTS);
      expect(disturbed.logprobs).toEqual(undisturbed.logprobs);
      expect(disturbed.norms).toEqual(undisturbed.norms);
      expect(disturbed.drawn).toEqual(undisturbed.drawn);
      expect(disturbed.updates).toContain(undisturbed.updates[0]);
    },
  );
});
