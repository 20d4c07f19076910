import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readArrays, writeArrays } from '@metaapo/core/storage';
import { selectBackend } from '@metaapo/engine';
import { loadLanguageModel, loadScorer } from '@metaapo/models';
import { beforeAll, describe, expect, it } from 'vitest';
import { root, temporaryDirectory } from '../support/metaapo.js';

const fixtures = join(root, 'fixtures', 'adapters');
const base = join(fixtures, 'base');
const golden = JSON.parse(readFileSync(join(fixtures, 'golden.json'), 'utf8')) as Record<string, number[]>;
const directory = temporaryDirectory();
const TOKENS = [5, 9, 11, 30, 22, 7, 2];
const optimizer = { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0 };
let copies = 0;

beforeAll(async () => void (await selectBackend({})));

async function logprobsWith(adapter: string, savedTo?: string): Promise<Float32Array> {
  const model = await loadLanguageModel(base, { adapter, executor: 'eager', ...(savedTo && { optimizer }) });
  try {
    const group = { prompt: Int32Array.from(TOKENS.slice(0, 1)), responses: [Int32Array.from(TOKENS.slice(1))] };
    if (savedTo !== undefined) await model.save(savedTo);
    return (await model.evaluate([group], { tokenLogprobs: true })).tokenLogprobs!;
  } finally {
    model.dispose();
  }
}

async function scoreOf(model: string, adapter?: string): Promise<number> {
  const scorer = await loadScorer(model, { adapter, executor: 'eager' });
  try {
    if (adapter !== undefined) await scorer.saveMerged(join(directory, 'merged'));
    return (await scorer.score([{ prompt: new Int32Array(), responses: [Int32Array.from(TOKENS)] }]))[0]!;
  } finally {
    scorer.dispose();
  }
}

/** A copy of an adapter with other settings. */
function withSettings(name: string, settings: object): string {
  const copy = join(directory, `copy-${copies++}`);
  cpSync(join(fixtures, name), copy, { recursive: true });
  const file = join(copy, 'adapter_config.json');
  writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, 'utf8')), ...settings }));
  return copy;
}

function expectNear(found: Float32Array, wanted: readonly number[]): void {
  expect(found).toHaveLength(wanted.length);
  for (const [at, value] of wanted.entries()) expect(found[at]).toBeCloseTo(value, 4);
}

describe('an adapter of PEFT', () => {
  it.each(Object.keys(golden).filter((name) => name !== 'score'))(
    'has the log-probabilities of Python, and again after it was saved: %s',
    async (name) => {
      const saved = join(directory, name);
      expectNear(await logprobsWith(join(fixtures, name), saved), golden[name]!);
      expectNear(await logprobsWith(saved), golden[name]!);
    },
  );

  it('whose settings name no modules has those of its tensors', async () => {
    const saved = join(directory, 'without-names');
    const nameless = withSettings('all-linear', { target_modules: null });
    expectNear(await logprobsWith(nameless, saved), golden['all-linear']!);
    expectNear(await logprobsWith(saved), golden['all-linear']!);
    const { target_modules: names } = JSON.parse(readFileSync(join(saved, 'adapter_config.json'), 'utf8'));
    expect(names).toContain('model.layers.1.mlp.down_proj');
  });

  it('with a score head is a reward model, which merges into one of its own', async () => {
    expect(await scoreOf(base, join(fixtures, 'score'))).toBeCloseTo(golden.score![0]!, 4);
    expect(await scoreOf(join(directory, 'merged'))).toBeCloseTo(golden.score![0]!, 4);
    await expect(logprobsWith(join(fixtures, 'score'))).rejects.toThrow(/score head.*merge_and_unload/s);
  });

  it.each([
    ['pissa', { init_lora_weights: 'pissa' }],
    ['pissa by fast decomposition', { init_lora_weights: 'pissa_niter_4' }],
    ['olora', { init_lora_weights: 'olora' }],
    ['loftq', { init_lora_weights: 'loftq' }],
    ['corda', { init_lora_weights: 'corda' }],
    ['lora_ga', { init_lora_weights: 'lora_ga' }],
    ['a start of tomorrow', { init_lora_weights: 'something' }],
    ['DoRA', { use_dora: true }],
    ['biases', { bias: 'lora_only' }],
    ['bias of B', { lora_bias: true }],
    ['trained tokens', { trainable_token_indices: [3, 4] }],
    ['whole modules', { modules_to_save: ['embed_tokens'] }],
    ['replicated layers', { layer_replication: [[0, 2]] }],
    ['parameters', { target_parameters: ['x'] }],
    ['another task', { task_type: 'QUESTION_ANS' }],
    ['a rank that the tensors do not have', { r: 3 }],
    ['modules without tensors', { target_modules: ['q_proj', 'v_proj', 'k_proj'] }],
    ['tensors without modules', { target_modules: ['q_proj'] }],
    ['layers without tensors left out', { layers_to_transform: [0] }],
    ['a pattern that nobody can read', { alpha_pattern: { '(?P<x>q_proj)': 3 } }],
  ])('that is not read exactly is refused with the way out: %s', async (_, settings) => {
    const [field] = Object.keys(settings);
    const refused = logprobsWith(withSettings('plain', settings));
    await expect(refused).rejects.toThrow(/merge_and_unload/);
    if (
      field !== 'r' &&
      !field!.startsWith('target_') &&
      field !== 'layers_to_transform' &&
      field !== 'alpha_pattern'
    ) {
      await expect(refused).rejects.toThrow(`${field} is not supported`);
    }
  });

  it.each(['model.embed_tokens.lora_embedding_A', 'lm_head.lora_A.weight', 'lm_head.weight'])(
    'with a tensor that is no matrix of the blocks is refused: %s',
    async (name) => {
      const copy = withSettings('plain', {});
      const file = join(copy, 'adapter_model.safetensors');
      const extra = { shape: [2, 16], values: new Float32Array(32) };
      await writeArrays(file, { ...(await readArrays(file)), [`base_model.model.${name}`]: extra });
      await expect(logprobsWith(copy)).rejects.toThrow(/merge_and_unload/);
    },
  );

  it('drops no field: each unknown one is refused unless it says nothing', async () => {
    for (let seed = 0; seed < 60; seed++) {
      const key = `extra_${(seed * 7919) % 1000}`;
      const silent = [null, [], {}][seed % 3];
      const loud = [true, false, 1, 0, 'text', [1], { a: 1 }][seed % 7];
      expectNear(await logprobsWith(withSettings('plain', { [key]: silent, peft_version: '9' })), golden.plain!);
      await expect(logprobsWith(withSettings('plain', { [key]: loud }))).rejects.toThrow(`${key} is not supported`);
    }
  });
});
