import { join } from 'node:path';
import type { GenerationRequest, PromptGroup } from '@metaapo/core/contracts';
import { type Executor, xlaCompilations } from '@metaapo/engine';
import { loadLanguageModel } from '@metaapo/models';
import { describe, expect, it } from 'vitest';
import { prepareBackend } from '../support/backends.js';
import { root } from '../support/metaapo.js';
import { describeGoldenModels } from './golden-models.js';

// On a CPU, where XLA takes its time: a model with a head that is its embedding, and a reward model.
describeGoldenModels('tensorflow', 'xla', ['qwen2', 'llama-reward']);

const optimizer = { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0 };

/** A prompt with two responses of so many tokens. */
function groupOf(length: number): PromptGroup {
  const ids = (key: number): Int32Array => Int32Array.from({ length }, (_, at) => 3 + ((7 * at + key) % 90));
  return { prompt: ids(0), responses: [ids(1), ids(2)] };
}

/** Computations that XLA compiles while something runs. */
async function compilationsOf(run: () => Promise<void>): Promise<number> {
  const before = xlaCompilations().count;
  await run();
  return xlaCompilations().count - before;
}

describe('the computations of XLA', () => {
  it('are compiled once for rows of about the same length, and few for a step', async (context) => {
    const missing = await prepareBackend('tensorflow');
    if (missing !== undefined) return context.skip(missing);
    const model = await loadLanguageModel(join(root, 'fixtures', 'models', 'qwen2'), { executor: 'xla', optimizer });
    const passesOver = async (groups: readonly PromptGroup[]): Promise<void> => {
      const ticket = await model.forward(groups);
      await model.backward(ticket, { perResponse: new Float32Array(2 * groups.length).fill(1) });
    };
    const apply = async (): Promise<void> =>
      void (await model.apply({ ...optimizer, learningRate: 1e-3, step: 1, maxGradNorm: 1 }));
    const counts: number[] = [];
    for (const run of [
      () => passesOver([groupOf(20)]),
      apply,
      // Other lengths of the same class.
      () => passesOver([groupOf(19)]),
      // What is added to gradients is another program than what begins them.
      () => passesOver([groupOf(21)]),
      apply,
    ]) {
      counts.push(await compilationsOf(run));
    }
    expect(counts).toEqual([9, 3, 0, 3, 0]);
    model.dispose();
  });

  it('draw the tokens that operations draw, while sequences come, leave and wait for room', async (context) => {
    const missing = await prepareBackend('tensorflow');
    if (missing !== undefined) return context.skip(missing);
    const requests = Array.from({ length: 5 }, (_, number): GenerationRequest => {
      const prompt = Int32Array.from({ length: 3 + 5 * number }, (__, at) => 3 + ((11 * at + number) % 90));
      return { prompt, count: 1 + (number % 3), maxNewTokens: 24, stopTokenIds: [1], seed: number, temperature: 1 };
    });
    const drawnBy = async (executor: Executor): Promise<readonly number[][][]> => {
      const directory = join(root, 'fixtures', 'models', 'qwen2');
      const model = await loadLanguageModel(directory, { executor, cachedTokens: 192 });
      const drawn: number[][][] = requests.map(() => []);
      for await (const { request, generations } of model.generate!(requests)) {
        drawn[request] = generations.map(({ tokens }) => [...tokens]);
      }
      model.dispose();
      return drawn;
    };
    const before = xlaCompilations().count;
    expect(await drawnBy('xla')).toEqual(await drawnBy('compiled'));
    expect(xlaCompilations().count - before).toBeLessThanOrEqual(20);
  });
});
