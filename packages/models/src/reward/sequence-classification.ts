import { createHash } from 'node:crypto';
import {
  CONTRACT,
  definePart,
  definePlugin,
  MetaapoError,
  MODEL,
  type ModelSource,
  type PartContext,
  type Plugin,
  parseOptions,
  REWARD_MODEL,
  type RewardModel,
  type ScoreAt,
  weightBytes,
} from '@metaapo/core/contracts';
import { z } from 'zod';
import { localModel, localModelPart } from '../local-model/local-model.js';
import { encodeAllForReward } from './encode-for-reward.js';
import { scoreSequences } from './score-sequences.js';

const WHERE = 'reward model sequence-classification';

const schema = z.strictObject({
  model: z
    .union([z.string().min(1).max(4096), z.looseObject({ id: z.string().min(1).max(200) })])
    .describe('A model with a classification head of one label: directory, hub id, or a model part as {id, ...}.'),
  batchTokens: z.int().min(1).max(100_000_000).default(8192).describe('Tokens computed at a time.'),
  maxLength: z
    .int()
    .min(1)
    .max(100_000_000)
    .default(4096)
    .describe('Most tokens of a conversation; its beginning is kept, which is counted and said.'),
  scoreAt: z
    .enum(['template-end', 'end-of-turn'])
    .optional()
    .describe('Which token is scored: the last of the template, or the end token; default as the model was trained.'),
  precision: z
    .enum(['float32', 'bfloat16'])
    .optional()
    .describe('Element type of matrix products; bfloat16 needs a backend that has it. Default float32.'),
  executor: z
    .enum(['auto', 'xla', 'compiled', 'eager'])
    .optional()
    .describe('How programs run; auto (default): xla on a GPU where it works, else compiled where the backend can.'),
  normalizeReward: z
    .boolean()
    .optional()
    .describe(
      'Whether a reward model of OpenRLHF is normalised by its mean and deviation; default as its config says.',
    ),
});

/** Options of {@link sequenceClassification}. */
export type SequenceClassificationOptions = z.input<typeof schema>;

type Settings = z.output<typeof schema>;

/** What {@link sequenceClassification} asks of its surroundings. */
export type SequenceClassificationContext = Partial<
  Pick<PartContext, 'report' | 'signal' | 'templateDate' | 'makePart'>
>;

/**
 * Rewards by a sequence classifier: the score at the last token of the whole conversation. Sequences are batched by length.
 * @param context is told of the first conversation that is cut, and at the end of how many were; makes the model where
 * that is another part than `local`
 * @throws MetaapoError with code `checkpoint` when the model has no classification head
 */
export async function sequenceClassification(
  options: SequenceClassificationOptions,
  context: SequenceClassificationContext = {},
): Promise<RewardModel> {
  const settings = parseOptions(WHERE, schema, options);
  const { batchTokens, maxLength } = settings;
  const source = await sourceOf(settings, context);
  if (source.openScorer === undefined) throw noScorer(`a model ${source.id}`);
  const { model, tokenizer, scoreAt: trainedAt } = await source.openScorer({ longestRow: maxLength });
  if (tokenizer === undefined) {
    await model.dispose();
    throw noScorer('a model without a tokenizer');
  }
  const scoreAt = settings.scoreAt ?? trainedAt ?? 'template-end';
  const endTokenId = scoreAt === 'end-of-turn' ? tokenizer.eosTokenId : undefined;
  const { cut, sayCount } = createCutter(maxLength, endTokenId, context.report ?? (() => undefined));
  return {
    id: 'sequence-classification',
    options: settings,
    fingerprint: keyOf([model.fingerprint, tokenizer.fingerprint, maxLength, source.options.precision, scoreAt]),
    async score(requests, signal) {
      const sequences = await encodeAllForReward(requests, tokenizer, scoreAt);
      return scoreSequences(model, sequences.map(cut), batchTokens, signal);
    },
    async dispose() {
      sayCount();
      await model.dispose();
      await source.dispose?.();
    },
  };
}

/** The model as a part: precision and what else stands beside it are options of a local one. */
async function sourceOf(
  { model, precision, executor, normalizeReward }: Settings,
  { makePart, report = () => undefined, ...context }: SequenceClassificationContext,
): Promise<ModelSource> {
  const beside = Object.entries({ precision, executor, normalizeReward }).filter(([, value]) => value !== undefined);
  const given = typeof model === 'string' ? { id: localModelPart.id, path: model } : model;
  if (given.id !== localModelPart.id && beside.length > 0) {
    throw new MetaapoError('config', `${beside[0]![0]} is an option of a model that is computed here`, {
      where: WHERE,
      got: `model ${given.id}`,
      remedy: 'Leave it out, or set it inside model',
    });
  }
  const recipe = { ...Object.fromEntries(beside), ...given };
  if (makePart !== undefined) return makePart(MODEL, recipe);
  if (recipe.id !== localModelPart.id) throw noScorer(`a model ${recipe.id} outside of a composed run`);
  const { id: _, ...options } = recipe;
  return localModel(parseOptions('model local', localModelPart.options, options), { ...context, report });
}

function noScorer(got: string): MetaapoError {
  return new MetaapoError('config', 'the model can be no reward model', {
    where: WHERE,
    expected: 'a model that gives scores, with a tokenizer',
    got,
    remedy: 'Give the directory or the hub id of a reward model',
  });
}

/** A digest of all that the scores follow from: the weights, the configuration, the template, and what is cut. */
function keyOf(basis: readonly [string, string, number, unknown, ScoreAt]): string {
  return `sequence-classification ${createHash('sha256').update(JSON.stringify(basis)).digest('hex')}`;
}

/**
 * Cuts sequences to a length, counts those that it had to cut, and reports the first.
 * @param endTokenId takes the last place of what is cut, where the end token is scored
 */
function createCutter(maxLength: number, endTokenId: number | undefined, report: (line: string) => void) {
  let count = 0;
  return {
    cut(ids: Int32Array): Int32Array {
      if (ids.length <= maxLength) return ids;
      if (count++ === 0) {
        report(`${WHERE}: a conversation of ${ids.length} tokens is cut to its first ${maxLength}; raise maxLength`);
      }
      const kept = ids.slice(0, maxLength);
      if (endTokenId !== undefined) kept[maxLength - 1] = endTokenId;
      return kept;
    },
    sayCount(): void {
      if (count > 0) report(`${WHERE}: ${count} conversations were cut to ${maxLength} tokens`);
    },
  };
}

/** {@link sequenceClassification} as a part. */
export const sequenceClassificationPart = definePart({
  slot: REWARD_MODEL,
  id: 'sequence-classification',
  summary: 'A reward model from a Hugging Face directory.',
  options: schema,
  create: sequenceClassification,
  async inspect(options, context) {
    const source = await sourceOf(parseOptions(WHERE, schema, options), context);
    if (source.openScorer === undefined) throw noScorer(`a model ${source.id}`);
    if ((await source.describe('scorer')).tokenizer === undefined) throw noScorer('a model without a tokenizer');
    return { memory: await weightBytes(source) };
  },
});

/** The parts of this package. */
export const plugin: Plugin = definePlugin({
  name: '@metaapo/models',
  contract: CONTRACT,
  parts: [localModelPart, sequenceClassificationPart],
});
