import { createHash } from 'node:crypto';
import type { Plugin, RewardModel, Tokenizer } from '@metaapo/core/contracts';
import { CONTRACT, definePart, definePlugin, parseOptions, REWARD_MODEL } from '@metaapo/core/contracts';
import { z } from 'zod';
import { modelDirectory } from '../local-model/find-model.js';
import { localModel, localModelPart } from '../local-model/local-model.js';
import { loadTokenizer } from '../tokenizer/index.js';
import { encodeForReward } from './encode-for-reward.js';
import { loadScorer, type Scorer } from './load-scorer.js';
import { scoreSequences } from './score-sequences.js';

const WHERE = 'reward model sequence-classification';

const schema = z.strictObject({
  model: z
    .string()
    .min(1)
    .max(4096)
    .describe('Directory or hub id of a model with a classification head of one label.'),
  batchTokens: z.int().min(1).max(100_000_000).default(8192).describe('Tokens computed at a time.'),
  maxLength: z
    .int()
    .min(1)
    .max(100_000_000)
    .default(4096)
    .describe('Most tokens of a conversation; its beginning is kept, which is counted and said.'),
  precision: z
    .enum(['float32', 'bfloat16'])
    .default('float32')
    .describe('Element type of matrix products; bfloat16 needs a backend that has it.'),
  executor: z
    .enum(['auto', 'compiled', 'eager'])
    .default('auto')
    .describe('How programs are run; auto: compiled where the backend can, else eager.'),
});

/** Options of {@link sequenceClassification}. */
export type SequenceClassificationOptions = z.input<typeof schema>;

/**
 * Rewards by a sequence classifier from a Hugging Face directory: the score at the last token of the whole
 * conversation. Sequences are batched by length.
 * @param report told of the first conversation that is cut, and at the end of how many were; default nobody
 * @throws MetaapoError with code `checkpoint` when the model has no classification head
 */
export async function sequenceClassification(
  options: SequenceClassificationOptions,
  report: (line: string) => void = () => undefined,
): Promise<RewardModel> {
  const settings = parseOptions(WHERE, schema, options);
  const { batchTokens, maxLength, precision, executor } = settings;
  const tokenizer = await loadTokenizer(settings.model);
  const model = await loadScorer(settings.model, { precision, executor, longestRow: maxLength });
  const { cut, count } = createCutter(maxLength, report);
  return {
    id: 'sequence-classification',
    options: settings,
    fingerprint: fingerprintOf(model, tokenizer, settings),
    score: (requests, signal) =>
      scoreSequences(
        model,
        requests.map((request) => cut(encodeForReward(request, tokenizer))),
        batchTokens,
        signal,
      ),
    dispose() {
      if (count() > 0) report(`${WHERE}: ${count()} conversations were cut to ${maxLength} tokens`);
      model.dispose();
    },
  };
}

/** A digest of all that the scores follow from: the weights, the configuration, the template, and what is cut. */
function fingerprintOf(
  { fingerprint, config }: Scorer,
  tokenizer: Tokenizer,
  { maxLength, precision }: z.output<typeof schema>,
): string {
  const basis = JSON.stringify([fingerprint, config, tokenizer.fingerprint, maxLength, precision]);
  return `sequence-classification ${createHash('sha256').update(basis).digest('hex')}`;
}

/** Cuts sequences to a length, counts those that it had to cut, and reports the first. */
function createCutter(maxLength: number, report: (line: string) => void) {
  let count = 0;
  return {
    cut(ids: Int32Array): Int32Array {
      if (ids.length <= maxLength) return ids;
      if (count++ === 0) {
        report(`${WHERE}: a conversation of ${ids.length} tokens is cut to its first ${maxLength}; raise maxLength`);
      }
      return ids.slice(0, maxLength);
    },
    count: () => count,
  };
}

/** {@link sequenceClassification} as a part. */
export const sequenceClassificationPart = definePart({
  slot: REWARD_MODEL,
  id: 'sequence-classification',
  summary: 'A reward model from a Hugging Face directory.',
  options: schema,
  create: async (options, context) =>
    sequenceClassification({ ...options, model: await modelDirectory(options.model, context) }, context.report),
  async inspect({ model, precision }, context) {
    const source = localModel({ path: model, precision }, context);
    const anyTraining = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0 };
    const estimate = await source.estimateMemory?.({ optimizer: anyTraining, seed: 0, longestRow: 1, groups: [] });
    return { memory: estimate?.parts.weights };
  },
});

/** The parts of this package. */
export const plugin: Plugin = definePlugin({
  name: '@metaapo/models',
  contract: CONTRACT,
  parts: [localModelPart, sequenceClassificationPart],
});
