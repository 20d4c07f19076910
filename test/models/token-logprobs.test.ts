import { join } from 'node:path';
import type { ForwardTicket, LogprobGradient, PromptGroup } from '@metaapo/core/contracts';
import { readArrays } from '@metaapo/core/storage';
import type { BackendId, Executor } from '@metaapo/engine';
import { type Computation, type LanguageModel, type LanguageModelOptions, loadLanguageModel } from '@metaapo/models';
import { describe, expect, it } from 'vitest';
import { prepareBackend } from '../support/backends.js';
import { root } from '../support/metaapo.js';

const optimizer = { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0 };
const WAYS: readonly (readonly [BackendId, Executor])[] = [
  ['tensorflow', 'compiled'],
  ['tensorflow', 'eager'],
  ['wasm', 'eager'],
];

type Arrays = Awaited<ReturnType<typeof readArrays>>;

interface Golden {
  readonly groups: readonly PromptGroup[];
  readonly logprobs: Float32Array;
  readonly gradient: Float32Array;
  /** Gradients of parameters, by name. */
  readonly parameters: ReadonlyMap<string, Float32Array>;
}

/** Consecutive runs of ids. */
function split(ids: Float32Array, lengths: Float32Array): readonly Int32Array[] {
  let end = 0;
  return Array.from(lengths, (length) => {
    end += length;
    return Int32Array.from(ids.subarray(end - length, end));
  });
}

async function goldenOf(name: string): Promise<Golden> {
  const arrays: Arrays = await readArrays(join(root, 'fixtures', 'token-logprobs', `${name}.safetensors`));
  const of = (key: string): Float32Array => arrays[key]!.values;
  const responses = split(of('responses'), of('response_lengths'));
  const groups = split(of('prompts'), of('prompt_lengths')).map((prompt, group) => ({
    prompt,
    responses: responses.filter((_, at) => of('group')[at] === group),
  }));
  const parameters = Object.keys(arrays).filter((key) => key.startsWith('gradient/'));
  return {
    groups,
    logprobs: of('token_logprobs'),
    gradient: of('token_gradient'),
    parameters: new Map(parameters.map((key) => [key, of(key)])),
  };
}

/** Largest difference, in shares of the largest number. */
function difference(got: Float32Array, expected: Float32Array): number {
  expect(got.length).toBe(expected.length);
  const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return got.reduce((most, value, at) => Math.max(most, Math.abs(value - expected[at]!)), 0) / largest;
}

async function withModel<Result>(
  name: string,
  options: LanguageModelOptions,
  use: (model: LanguageModel) => Promise<Result>,
): Promise<Result> {
  const model = await loadLanguageModel(join(root, 'fixtures', 'models', name), { optimizer, ...options });
  try {
    return await use(model);
  } finally {
    model.dispose();
  }
}

/** The accumulated gradients after a backward, by the names of the golden ones. */
async function gradientsAfter(
  model: LanguageModel,
  { groups, parameters }: Golden,
  gradientOf: (ticket: ForwardTicket) => LogprobGradient,
): Promise<ReadonlyMap<string, Float32Array>> {
  const ticket = await model.forward(groups, { tokenLogprobs: true });
  await model.backward(ticket, gradientOf(ticket));
  // A language model is its computation, whose session holds the gradients.
  const { session } = model as unknown as Computation;
  const gradients = new Map<string, Float32Array>();
  for (const name of parameters.keys()) gradients.set(name, (await session.read(name)) as Float32Array);
  return gradients;
}

describe.each(WAYS)('log-probabilities of single tokens on %s, %s', (backend, executor) => {
  const test = (name: string, run: () => Promise<void>): void =>
    void it(name, async (context) => {
      const missing = await prepareBackend(backend);
      if (missing !== undefined) return context.skip(missing);
      await run();
    });

  for (const name of ['qwen2', 'llama']) {
    // The second cuts the head into chunks of 5 tokens.
    for (const logitsBytes of [undefined, 5 * 4 * 96]) {
      const cut = logitsBytes === undefined ? 'at once' : 'in chunks';
      test(`${name}, ${cut}: they and their gradients are those of PyTorch`, async () => {
        const golden = await goldenOf(name);
        await withModel(name, { executor, logitsBytes }, async (model) => {
          const evaluated = await model.evaluate(golden.groups, { tokenLogprobs: true });
          expect(difference(evaluated.tokenLogprobs!, golden.logprobs)).toBeLessThan(1e-5);
          const gradients = await gradientsAfter(model, golden, (ticket) => {
            expect(difference(ticket.tokenLogprobs!, golden.logprobs)).toBeLessThan(1e-5);
            return { perToken: golden.gradient };
          });
          for (const [key, expected] of golden.parameters) {
            expect(difference(gradients.get(key)!, expected), key).toBeLessThan(2e-5);
          }
        });
      });
    }
  }

  test('add up to the sums of responses, and are there only where they were asked for', async () => {
    const { groups } = await goldenOf('qwen2');
    await withModel('qwen2', { executor }, async (model) => {
      const plain = await model.evaluate(groups);
      expect(plain.tokenLogprobs).toBeUndefined();
      const both = await model.evaluate(groups, { tokenLogprobs: true, entropies: true });
      expect(both.sumLogprobs.map((sum, at) => sum - plain.sumLogprobs[at]!).every((one) => Math.abs(one) < 1e-5)).toBe(
        true,
      );
      let at = 0;
      for (const [index, count] of both.tokenCounts.entries()) {
        const sum = both.tokenLogprobs!.subarray(at, at + count).reduce((all, one) => all + one, 0);
        expect(sum).toBeCloseTo(both.sumLogprobs[index]!, 4);
        at += count;
      }
      expect(at).toBe(both.tokenLogprobs!.length);
    });
  });

  test('the same weight for all tokens of a response is a gradient of its sum, to the bit', async () => {
    const golden = await goldenOf('qwen2');
    const weights = [0.5, -2, 1.25];
    const perResponse = await withModel('qwen2', { executor }, (model) =>
      gradientsAfter(model, golden, () => ({ perResponse: Float32Array.from(weights) })),
    );
    const perToken = await withModel('qwen2', { executor }, (model) =>
      gradientsAfter(model, golden, ({ tokenCounts }) => ({
        perToken: Float32Array.from(
          [...tokenCounts].flatMap((count, at) => new Array<number>(count).fill(weights[at]!)),
        ),
      })),
    );
    expect(perToken).toEqual(perResponse);
  });

  test('a gradient of another length is refused, and leaves a model that computes what it did before', async () => {
    const golden = await goldenOf('qwen2');
    await withModel('qwen2', { executor }, async (model) => {
      for (const gradient of [{ perToken: new Float32Array(3) }, { perResponse: new Float32Array(16) }]) {
        await expect(gradientsAfter(model, golden, () => gradient)).rejects.toThrow(
          /gradient does not belong to the forward pass/,
        );
      }
      const { tokenLogprobs } = await model.evaluate(golden.groups, { tokenLogprobs: true });
      expect(difference(tokenLogprobs!, golden.logprobs)).toBeLessThan(1e-5);
    });
  });
});
