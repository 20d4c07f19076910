import { join } from 'node:path';
import { uniformOf } from '@metaapo/core/numerics';
import type { Executor } from '@metaapo/engine';
import { type Computation, type LanguageModelOptions, loadLanguageModel } from '@metaapo/models';
import { describe, expect, it, vi } from 'vitest';
import { prepareBackend } from '../support/backends.js';
import { root } from '../support/metaapo.js';

const directory = join(root, 'fixtures', 'models', 'qwen2');
const optimizer = { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0 };
const ids = (key: number, length: number): Int32Array =>
  Int32Array.from({ length }, (_, at) => 3 + Math.floor(93 * uniformOf(['agreement', key, at])));
const groupsOf = (rows: number) =>
  Array.from({ length: rows }, (_, row) => ({
    prompt: ids(3 * row, 20 + row),
    responses: [ids(3 * row + 1, 30), ids(3 * row + 2, 25)],
  }));

interface Pass {
  readonly logprobs: Float32Array;
  readonly gradients: ReadonlyMap<string, Float32Array>;
}

/** Log-probabilities and gradients of the first micro-batch of a new model. */
async function pass(options: LanguageModelOptions, rows = 3): Promise<Pass> {
  const groups = groupsOf(rows);
  const model = await loadLanguageModel(directory, { optimizer, ...options });
  try {
    const ticket = await model.forward(groups, { tokenLogprobs: true });
    await model.backward(ticket, { perResponse: Float32Array.from(ticket.sumLogprobs, (_, at) => Math.sin(at + 1)) });
    // A language model is its computation, whose session holds the gradients.
    const { session } = model as unknown as Computation;
    const gradients = new Map<string, Float32Array>();
    for (const name of NAMES) gradients.set(name, (await session.read(`gradient/${name}`)) as Float32Array);
    return { logprobs: ticket.tokenLogprobs!, gradients };
  } finally {
    model.dispose();
  }
}

const LAYER = 'model.layers.0';
const NAMES = [
  'model.embed_tokens.weight',
  `${LAYER}.input_layernorm.weight`,
  `${LAYER}.self_attn.q_proj.weight`,
  `${LAYER}.self_attn.k_proj.bias`,
  `${LAYER}.self_attn.o_proj.weight`,
  `${LAYER}.mlp.gate_proj.weight`,
  `${LAYER}.mlp.down_proj.weight`,
];

/** Largest difference, in shares of the largest number. */
function difference(got: Float32Array, expected: Float32Array): number {
  expect(got.length).toBe(expected.length);
  const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return got.reduce((most, value, at) => Math.max(most, Math.abs(value - expected[at]!)), 0) / largest;
}

function expectAgreement(got: Pass, expected: Pass, what: string): void {
  expect(difference(got.logprobs, expected.logprobs), what).toBeLessThan(1e-5);
  for (const [name, values] of got.gradients) {
    expect(difference(values, expected.gradients.get(name)!), `${name}, ${what}`).toBeLessThan(1e-5);
  }
}

/** What a pass gives where the fused kernels are left out. */
async function withoutKernels(body: () => Promise<Pass>): Promise<Pass> {
  vi.stubEnv('METAAPO_KERNELS', 'off');
  try {
    return await body();
  } finally {
    vi.unstubAllEnvs();
  }
}

describe('a model', () => {
  const native = (name: string, body: () => Promise<void>) =>
    it(name, async (context) => {
      const missing = await prepareBackend('tensorflow');
      if (missing !== undefined) return context.skip(missing);
      await body();
    });

  native('has the same log-probabilities and gradients on both executors, whatever is kept', async () => {
    const expected = await pass({ executor: 'eager' });
    for (const executor of ['eager', 'compiled'] as const satisfies readonly Executor[]) {
      for (const checkpoint of ['none', 'matmul-outputs', 'block-inputs'] as const) {
        expectAgreement(await pass({ executor, checkpoint }), expected, `${checkpoint} on ${executor}`);
      }
    }
  });

  native('has the same log-probabilities and gradients without fused kernels', async () => {
    const fused = await pass({});
    expectAgreement(await withoutKernels(() => pass({})), fused, 'plain');
  });

  native('stays as near to float32 in bfloat16 with fused kernels as without them', async () => {
    const precise = await pass({ executor: 'eager' });
    const distances = (narrow: Pass): readonly number[] => [
      difference(narrow.logprobs, precise.logprobs),
      ...NAMES.map((name) => difference(narrow.gradients.get(name)!, precise.gradients.get(name)!)),
    ];
    const plain = distances(await withoutKernels(() => pass({ precision: 'bfloat16' })));
    for (const [at, fused] of distances(await pass({ precision: 'bfloat16' })).entries()) {
      expect(fused, ['log-probabilities', ...NAMES][at]).toBeLessThan(2 * plain[at]!);
    }
  });

  native('gives the same bits for a micro-batch of thousands of tokens, most of them repeated', async () => {
    for (const precision of ['float32', 'bfloat16'] as const) {
      const [first, second] = [await pass({ precision }, 40), await pass({ precision }, 40)];
      expect(second.logprobs).toEqual(first.logprobs);
      expect(second.gradients).toEqual(first.gradients);
    }
  });
});
