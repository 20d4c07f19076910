import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { PromptGroup } from '@metaapo/core/contracts';
import { readArrays } from '@metaapo/core/storage';
import type { BackendId, Executor } from '@metaapo/engine';
import {
  type Computation,
  type LanguageModel,
  type LanguageModelOptions,
  loadLanguageModel,
  loadScorer,
} from '@metaapo/models';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { prepareBackend } from '../support/backends.js';
import { goldenModels } from '../support/golden-models.js';
import { goldenSets } from '../support/goldens.js';
import { gradientNormOf } from '../support/gradient-norm.js';
import { temporaryDirectory } from '../support/metaapo.js';

const PROMPT = 5;
const optimizer = { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0 };

type Arrays = Awaited<ReturnType<typeof readArrays>>;

interface Sequence {
  readonly ids: Int32Array;
  /** Log-probability of every token but the first. */
  readonly logprobs: readonly number[];
}

/** The rows of a golden batch without their padding. */
function sequencesOf(golden: Arrays): readonly Sequence[] {
  const [rows, length] = golden.input_ids!.shape as [number, number];
  return Array.from({ length: rows }, (_, row) => {
    const mask = golden.attention_mask?.values.subarray(row * length, (row + 1) * length);
    const real = mask === undefined ? length : Array.from(mask).filter((bit) => bit === 1).length;
    const ids = Int32Array.from(golden.input_ids!.values.subarray(row * length, row * length + real));
    if (golden.token_logps === undefined) return { ids, logprobs: logprobsOf(golden, row, ids) };
    const logprobs = golden.token_logps.values.subarray(row * (length - 1), row * (length - 1) + real - 1);
    return { ids, logprobs: Array.from(logprobs) };
  });
}

/** From logits `[B, T, V]`, in float64. */
function logprobsOf({ logits }: Arrays, row: number, ids: Int32Array): readonly number[] {
  if (logits === undefined) return [];
  const [, length, vocabulary] = logits.shape as [number, number, number];
  return Array.from(ids.subarray(1), (id, at) => {
    const start = (row * length + at) * vocabulary;
    const scores = Array.from(logits.values.subarray(start, start + vocabulary));
    return scores[id]! - Math.log(scores.reduce((sum, score) => sum + Math.exp(score), 0));
  });
}

const groupOf = ({ ids }: Sequence): PromptGroup => ({
  prompt: ids.subarray(0, PROMPT),
  responses: [ids.subarray(PROMPT)],
});

/** Largest difference; NaN counts as infinite. */
function worst(got: ArrayLike<number>, expected: ArrayLike<number>): number {
  expect(got.length).toBe(expected.length);
  return Array.from(got).reduce((most, value, index) => {
    const difference = Math.abs(value - expected[index]!);
    return Math.max(most, Number.isNaN(difference) ? Number.POSITIVE_INFINITY : difference);
  }, 0);
}

async function withModel(
  directory: string,
  options: LanguageModelOptions,
  use: (model: LanguageModel) => Promise<void>,
): Promise<void> {
  const before = tf.memory().numTensors;
  const model = await loadLanguageModel(directory, options);
  try {
    await use(model);
  } finally {
    model.dispose();
  }
  expect(tf.memory().numTensors, 'tensors left behind').toBe(before);
}

/**
 * Registers the golden models as tests of one executor on one backend.
 * @param only names of models where compiling is dear
 */
export function describeGoldenModels(backend: BackendId, executor: Executor, only?: readonly string[]): void {
  const isMeant = (name: string): boolean => only?.includes(name) ?? true;
  describe(`golden models, ${executor} on ${backend}`, () => {
    let missing: string | undefined;
    beforeAll(async () => {
      missing = await prepareBackend(backend);
    });
    const test = (name: string, run: () => Promise<void>): void =>
      void it(name, async (context) => (missing === undefined ? run() : context.skip(missing)));
    const temporary = temporaryDirectory();

    for (const set of goldenSets()) {
      const names = goldenModels(set.models);
      const languageModels = names.languageModels.filter(isMeant);
      const rewardModels = names.rewardModels.filter(isMeant);
      for (const name of languageModels) {
        test(`${set.name}: ${name} gives the log-probabilities, logits and gradients of transformers`, async () => {
          const directory = join(set.models, name);
          const golden = await readArrays(join(directory, 'golden.safetensors'));
          await withModel(directory, { executor, optimizer }, (model) => expectGolden(model, golden));
        });
      }
      for (const name of rewardModels) {
        test(`${set.name}: ${name} gives the scores of transformers`, async () => {
          const directory = join(set.models, name);
          const golden = await readArrays(join(directory, 'golden.safetensors'));
          const before = tf.memory().numTensors;
          const scorer = await loadScorer(directory, { executor, optimizer });
          const groups = sequencesOf(golden).map(({ ids }) => ({ prompt: new Int32Array(), responses: [ids] }));
          expect(worst(await scorer.score(groups), golden.scores!.values)).toBeLessThan(2e-5);
          const ticket = await scorer.forward(groups);
          expect(worst(ticket.rewards, golden.scores!.values)).toBeLessThan(2e-5);
          await scorer.discard(ticket);
          scorer.dispose();
          expect(tf.memory().numTensors, 'tensors left behind').toBe(before);
        });
      }
      const adapted = isMeant('qwen2-lora') ? test : () => {};
      adapted(`${set.name}: a PEFT adapter is applied, trained, saved and merged`, async () => {
        const [base, adapter] = [join(set.models, 'qwen2-lora', 'base'), join(set.models, 'qwen2-lora', 'adapter')];
        const golden = await readArrays(join(set.models, 'qwen2-lora', 'golden.safetensors'));
        const [saved, merged] = [join(temporary, `${set.name}-adapter`), join(temporary, `${set.name}-merged`)];
        await withModel(base, { executor, adapter, optimizer }, async (model) => {
          await expectGolden(model, golden);
          await model.save(saved);
          await model.saveMerged(merged);
        });
        const [written, original] = [await readAdapter(saved), await readAdapter(adapter)];
        expect(Object.keys(written).sort()).toEqual(Object.keys(original).sort());
        for (const [key, { values }] of Object.entries(original)) expect(written[key]!.values, key).toEqual(values);
        await withModel(merged, { executor }, (model) => expectLogprobs(model, golden));
      });
      for (const name of languageModels.filter((one) => existsSync(join(set.models, one, 'greedy.json')))) {
        test(`${set.name}: greedy generation of ${name} gives the tokens of transformers`, async () => {
          const directory = join(set.models, name);
          await withModel(directory, { executor, cachedTokens: 256 }, (model) => expectGreedy(model, directory));
        });
      }
    }
  });
}

async function expectGreedy(model: LanguageModel, directory: string): Promise<void> {
  const { prompt_ids, greedy_ids } = JSON.parse(readFileSync(join(directory, 'greedy.json'), 'utf8'));
  const drawn = { count: 1, maxNewTokens: greedy_ids.length, stopTokenIds: [], temperature: 0, seed: 0 };
  for await (const { generations } of model.generate!([{ prompt: Int32Array.from(prompt_ids), ...drawn }])) {
    expect(Array.from(generations[0]!.tokens)).toEqual(greedy_ids);
  }
}

const readAdapter = (directory: string): Promise<Arrays> => readArrays(join(directory, 'adapter_model.safetensors'));

async function expectLogprobs(model: LanguageModel, golden: Arrays): Promise<void> {
  const sequences = sequencesOf(golden);
  const expected = sequences.flatMap(({ logprobs }) => logprobs.slice(PROMPT - 1));
  const { tokenLogprobs } = await model.evaluate(sequences.map(groupOf), { tokenLogprobs: true });
  expect(worst(tokenLogprobs!, expected), 'log-probabilities of tokens').toBeLessThan(2e-5);
}

async function expectGolden(model: LanguageModel, golden: Arrays): Promise<void> {
  const sequences = sequencesOf(golden);
  await expectLogprobs(model, golden);
  // The unshared evaluation: every sequence alone, without packing.
  for (const sequence of sequences) {
    const { tokenLogprobs } = await model.evaluate([groupOf(sequence)], { tokenLogprobs: true });
    expect(worst(tokenLogprobs!, sequence.logprobs.slice(PROMPT - 1)), 'a sequence alone').toBeLessThan(2e-5);
  }
  await expectSharedPrompt(model, sequences[0]!);
  await expectEntropies(model, sequences, golden);
  if (golden.last_logits !== undefined) await expectLastLogits(model, sequences, golden.last_logits.values);
  const ticket = await model.forward(sequences.map(groupOf), { entropies: true });
  const { sumEntropies } = await model.evaluate(sequences.map(groupOf), { entropies: true });
  expect(worst(ticket.sumEntropies!, sumEntropies!), 'entropies of forward and evaluate').toBeLessThan(1e-4);
  await model.backward(ticket, { perResponse: new Float32Array(sequences.length).fill(1) });
  await expectGradients(model, golden);
  const norm = await gradientNormOf(model, optimizer);
  if (golden.gradient_norm !== undefined && model.lora === undefined) {
    const expected = golden.gradient_norm.values[0]!;
    expect(Math.abs(norm - expected) / expected, 'gradient norm').toBeLessThan(1e-4);
  }
  expect(await gradientNormOf(model, optimizer)).toBe(0);
}

/** The norm of each tensor's gradient, where the golden values have them. */
async function expectGradients(model: LanguageModel, golden: Arrays): Promise<void> {
  const { session } = model as unknown as Computation;
  for (const [key, { values }] of Object.entries(golden)) {
    if (!key.startsWith('gradient_norm/')) continue;
    const gradient = (await session.read(`gradient/${key.slice('gradient_norm/'.length)}`)) as Float32Array;
    const norm = Math.sqrt(gradient.reduce((sum, value) => sum + value * value, 0));
    expect(Math.abs(norm - values[0]!) / values[0]!, key).toBeLessThan(2e-4);
  }
}

/** Entropies of the predictions of each response, beside those of the golden logits (or the model's own) in float64. */
async function expectEntropies(model: LanguageModel, sequences: readonly Sequence[], golden: Arrays): Promise<void> {
  const groups = sequences.map(groupOf);
  const { sumEntropies, sumLogprobs, tokenCounts } = await model.evaluate(groups, { entropies: true });
  const plain = await model.evaluate(groups);
  expect(plain.sumEntropies).toBeUndefined();
  expect(worst(sumLogprobs, plain.sumLogprobs)).toBeLessThan(1e-5);
  const own = await model.logits(groups);
  const [values, vocabulary] = [await own.data(), own.shape[1]];
  own.dispose();
  let at = 0;
  const expected = Array.from(tokenCounts, (count, row) => {
    let sum = 0;
    for (let token = 0; token < count; token++, at++) {
      const known = golden.logits;
      const start = known === undefined ? at : row * known.shape[1]! + PROMPT - 1 + token;
      sum += entropyOf((known?.values ?? values).subarray(start * vocabulary, (start + 1) * vocabulary));
    }
    return sum;
  });
  // A sum of some 20 tokens, each of about ln(vocabulary).
  expect(worst(sumEntropies!, expected), 'entropies').toBeLessThan(4e-4);
}

function entropyOf(logits: ArrayLike<number>): number {
  const weights = Array.from(logits, Math.exp);
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return -weights.reduce((sum, weight) => sum + (weight / total) * Math.log(weight / total), 0);
}

/** Responses that share a computed prompt are worth what each is with a prompt of its own. */
async function expectSharedPrompt(model: LanguageModel, { ids }: Sequence): Promise<void> {
  const prompt = ids.subarray(0, PROMPT);
  const responses = [ids.subarray(PROMPT, PROMPT + 4), ids.subarray(PROMPT + 3), ids.subarray(PROMPT + 1, PROMPT + 2)];
  const shared = await model.evaluate([{ prompt, responses }]);
  for (const [index, response] of responses.entries()) {
    const alone = await model.evaluate([{ prompt, responses: [response] }]);
    expect(Math.abs(alone.sumLogprobs[0]! - shared.sumLogprobs[index]!)).toBeLessThan(1e-4);
  }
}

async function expectLastLogits(
  model: LanguageModel,
  sequences: readonly Sequence[],
  expected: Float32Array | Int32Array,
): Promise<void> {
  // The last token of a response is predicted, not read: one more token makes the logits after it visible.
  const groups = sequences.map(({ ids }) => ({ prompt: ids, responses: [Int32Array.of(3)] }));
  const logits = await model.logits(groups);
  const got = await logits.data();
  logits.dispose();
  expect(worst(got, expected), 'logits').toBeLessThan(1e-4);
}
