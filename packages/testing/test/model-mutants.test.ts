import type { Generation, ModelSource, TextModel, TrainableModel } from '@metaapo/core/contracts';
import { describe, expect, it } from 'vitest';
import { describeModel } from '../src/index.js';
import { bigramModel } from './bigram-model.js';
import { faultsOf } from './faults.js';

const sound = (): ModelSource => {
  const source = bigramModel({ vocabulary: 5, seed: 3 });
  return { ...source, options: Object.freeze(source.options) };
};

describeModel({ describe, it }, sound);

/** The sound source whose models are changed. */
const altered =
  (alter: (model: TrainableModel) => Partial<TrainableModel>): (() => ModelSource) =>
  () => {
    const source = sound();
    const changed = (opened: TextModel): TextModel => ({
      ...opened,
      model: { ...opened.model, ...alter(opened.model) },
    });
    return {
      ...source,
      openPolicy: async (use) => changed(await source.openPolicy(use)),
      openReference: async (from, use) => changed(await source.openReference(from, use)),
    };
  };

const generating = (edit: (generation: Generation) => Generation): (() => ModelSource) =>
  altered((model) => ({
    async *generate(requests, signal) {
      for await (const { request, generations } of model.generate!(requests, signal)) {
        yield { request, generations: generations.map(edit) };
      }
    },
  }));

const negated = (values: Float32Array): Float32Array => values.map((value) => -value);

const MUTANTS: readonly (readonly [name: string, create: () => ModelSource, fault: RegExp])[] = [
  [
    'another vocabulary without weights',
    () => ({ ...sound(), describe: async () => ({ ...(await sound().describe()), vocabularySize: 7 }) }),
    /vocabularySize is 7 without weights and 5/,
  ],
  [
    'an end id beyond the vocabulary',
    () => ({ ...sound(), describe: async () => ({ ...(await sound().describe()), eosTokenIds: [9] }) }),
    /end id 9 lies outside/,
  ],
  [
    'means in place of sums',
    altered((model) => ({
      async evaluate(groups, wishes) {
        const read = await model.evaluate(groups, wishes);
        return { ...read, sumLogprobs: read.sumLogprobs.map((sum, at) => sum / read.tokenCounts[at]!) };
      },
    })),
    /forward and evaluate differ/,
  ],
  [
    'groups that look at one another',
    altered((model) => ({
      async evaluate(groups, wishes) {
        const read = await model.evaluate(groups, wishes);
        return { ...read, sumLogprobs: read.sumLogprobs.map((sum) => sum - 0.1 * (groups.length - 1)) };
      },
    })),
    /differ/,
  ],
  [
    'tokens that nobody asked for',
    altered((model) => ({ evaluate: (groups) => model.evaluate(groups, { tokenLogprobs: true, entropies: true }) })),
    /tokens that nobody asked for/,
  ],
  [
    'gradients of the wrong sign',
    altered((model) => ({
      backward: (ticket, gradient) =>
        model.backward(
          ticket,
          'perToken' in gradient
            ? { perToken: negated(gradient.perToken) }
            : { perResponse: negated(gradient.perResponse) },
        ),
    })),
    /an update changes the loss by/,
  ],
  [
    'gradients of twice the size, told as they are',
    altered((model) => ({
      async apply(step) {
        const { gradientNorm } = await model.apply({ ...step, learningRate: 2 * step.learningRate });
        return { gradientNorm };
      },
    })),
    /an update changes the loss by/,
  ],
  [
    'the gradient of the last pass alone',
    altered((model) => ({
      async backward(ticket, gradient) {
        await model.zeroGradients();
        await model.backward(ticket, gradient);
      },
    })),
    /gradients of parts do not add up/,
  ],
  [
    'gradients that zeroGradients keeps',
    altered(() => ({ zeroGradients: async () => undefined })),
    /after zeroGradients/,
  ],
  [
    'no clipping',
    altered((model) => ({ apply: ({ maxGradNorm: _, ...step }) => model.apply(step) })),
    /an update changes the loss by/,
  ],
  [
    'the norm after clipping',
    altered((model) => ({
      async apply(step) {
        const { gradientNorm } = await model.apply(step);
        return { gradientNorm: Math.min(gradientNorm!, step.maxGradNorm ?? Number.POSITIVE_INFINITY) };
      },
    })),
    /the norm is told after clipping/,
  ],
  [
    'NaN that passes for a number',
    altered((model) => ({
      async apply(step) {
        const { gradientNorm } = await model.apply(step);
        return { gradientNorm: Number.isNaN(gradientNorm) ? 0 : gradientNorm };
      },
    })),
    /a gradient with NaN has the norm 0/,
  ],
  [
    'a state without moments',
    altered((model) => ({ saveState: (directory) => model.save(directory) })),
    /a loaded state goes on otherwise/,
  ],
  [
    'moments that stay when they are set to zero',
    altered(() => ({ resetMoments: async () => undefined })),
    /moments that were set to zero move it/,
  ],
  ['a state that is not loaded', altered(() => ({ loadState: async () => undefined })), /has other parameters/],
  [
    'the start saved in place of the model',
    altered((model) => ({
      save: async (directory) => (await sound().openPolicy({} as never)).model.save(directory).then(() => void model),
    })),
    /a saved model opens as another/,
  ],
  [
    'a reference from another seed',
    () => ({ ...sound(), openReference: bigramModel({ vocabulary: 5, seed: 4 }).openReference }),
    /the reference is not the start/,
  ],
  [
    'probabilities in place of their logarithms',
    generating((one) => ({ ...one, logprobs: one.logprobs.map(Math.exp) })),
    /others when evaluated/,
  ],
  [
    'a finish reason that is made up',
    generating((one) => ({ ...one, finishReason: one.finishReason === 'stop' ? 'length' : 'stop' })),
    /ended with/,
  ],
  [
    'one response a request',
    altered((model) => ({
      async *generate(requests, signal) {
        yield* model.generate!(
          requests.map((request) => ({ ...request, count: 1 })),
          signal,
        );
      },
    })),
    /wants 3 responses and gets 1/,
  ],
  [
    'seeds that go by the order of requests',
    altered((model) => ({
      generate: (requests, signal) =>
        model.generate!(
          requests.map((request, at) => ({ ...request, seed: request.seed + at })),
          signal,
        ),
    })),
    /other responses when it comes alone/,
  ],
];

it.each(MUTANTS)('catches %s', async (_, create, fault) => {
  const faults = await faultsOf((test) => describeModel(test, create));
  expect([...faults.values()].join('\n')).toMatch(fault);
});
