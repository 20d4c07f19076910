import { resolve } from 'node:path';
import type { PartDefinition, Plugin, RewardModel, RewardRequest, Tokenizer } from '@metaapo/core/contracts';
import {
  CONTRACT,
  definePart,
  definePlugin,
  MetaapoError,
  parseOptions,
  REWARD_MODEL,
  yieldToEvents,
} from '@metaapo/core/contracts';
import { packByTokens } from '@metaapo/core/numerics';
import { z } from 'zod';
import { readModelConfig } from '../checkpoint/model-config.js';
import { type LanguageModel, loadLanguageModel } from '../language-model/load-language-model.js';
import { loadTokenizer } from '../tokenizer/index.js';

/** Options of {@link sequenceClassification}. */
export interface SequenceClassificationOptions {
  /** Directory of a model with a classification head of one label. */
  readonly model: string;
  /** Tokens computed at a time; default 8192. */
  readonly batchTokens?: number | undefined;
  /** Most tokens of a conversation; its beginning is kept. Default 4096. */
  readonly maxLength?: number | undefined;
}

const schema = z.strictObject({
  model: z.string().min(1),
  batchTokens: z.int().positive().default(8192),
  maxLength: z.int().positive().default(4096),
});

/**
 * Rewards by a sequence classifier from a Hugging Face directory: the score at the last token of the whole
 * conversation. Sequences are batched by length.
 * @throws MetaapoError with code `checkpoint` when the model has no classification head
 */
export async function sequenceClassification(options: SequenceClassificationOptions): Promise<RewardModel> {
  const settings = parseOptions('reward model sequence-classification', schema, options);
  await refuseLanguageModel(settings.model);
  const tokenizer = await loadTokenizer(settings.model);
  const model = await loadLanguageModel(settings.model);
  return {
    id: 'sequence-classification',
    options: settings,
    fingerprint: `sequence-classification ${model.fingerprint} ${tokenizer.fingerprint}`,
    score: (requests, signal) => {
      const sequences = requests.map((request) => encodeForReward(request, tokenizer).slice(0, settings.maxLength));
      return scoreSequences(model, sequences, settings.batchTokens, signal);
    },
    dispose: () => model.dispose(),
  };
}

/** @throws MetaapoError with code `checkpoint` when a directory's model has no classification head. */
export async function refuseLanguageModel(directory: string): Promise<void> {
  const { task } = await readModelConfig(directory);
  if (task !== 'sequence-classification') {
    throw new MetaapoError('checkpoint', 'the model has no classification head', {
      where: directory,
      expected: 'an architecture that ends with ForSequenceClassification',
      got: 'a language model',
      remedy: 'Give a reward model',
    });
  }
}

/**
 * Token ids of a prompt with its response as reward models read them: the conversation as the template renders it, up to
 * and with the token that ends the response.
 */
export function encodeForReward({ prompt, response }: RewardRequest, tokenizer: Tokenizer): Int32Array {
  const ids =
    typeof prompt === 'string'
      ? tokenizer.encode(prompt + response, { addSpecialTokens: true })
      : tokenizer.encode(tokenizer.renderChat([...prompt, { role: 'assistant', content: response }]).trimEnd());
  const { eosTokenId } = tokenizer;
  return eosTokenId === undefined || ids.at(-1) === eosTokenId ? ids : Int32Array.of(...ids, eosTokenId);
}

/** Scores `[N]` of sequences, computed in batches of like lengths. */
export async function scoreSequences(
  model: LanguageModel,
  sequences: readonly Int32Array[],
  batchTokens: number,
  signal?: AbortSignal,
): Promise<Float32Array> {
  const scores = new Float32Array(sequences.length);
  const order = sequences.map((_, index) => index).sort((a, b) => sequences[a]!.length - sequences[b]!.length);
  const lengths = order.map((index) => sequences[index]!.length);
  for (const [start, end] of packByTokens(lengths, batchTokens)) {
    await yieldToEvents(signal);
    const indices = order.slice(start, end);
    const part = await model.scores(indices.map((index) => sequences[index]!));
    for (const [at, index] of indices.entries()) scores[index] = part[at]!;
  }
  return scores;
}

/** {@link sequenceClassification} as a part. */
export const sequenceClassificationPart: PartDefinition<RewardModel, SequenceClassificationOptions> = definePart<
  RewardModel,
  SequenceClassificationOptions
>({
  slot: REWARD_MODEL,
  id: 'sequence-classification',
  summary: 'A reward model from a Hugging Face directory.',
  options: schema,
  create: async (options, { baseDirectory, modelDirectory }) => {
    const model = (await modelDirectory?.(options.model)) ?? resolve(baseDirectory, options.model);
    return sequenceClassification({ ...options, model });
  },
});

/** The parts of this package. */
export const plugin: Plugin = definePlugin({
  name: '@metaapo/models',
  contract: CONTRACT,
  parts: [sequenceClassificationPart],
});
