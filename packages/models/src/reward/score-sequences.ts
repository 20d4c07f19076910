import { MetaapoError, type PromptGroup, type TrainableModel, yieldToEvents } from '@metaapo/core/contracts';
import { packByTokens } from '@metaapo/core/numerics';
import { readModelConfig } from '../checkpoint/model-config.js';
import { shareBeginnings } from './shared-beginnings.js';

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

/** Scores `[N]` of sequences, computed in batches of like lengths; what sequences begin with in common is computed once. */
export async function scoreSequences(
  model: Pick<TrainableModel, 'evaluate'>,
  sequences: readonly Int32Array[],
  batchTokens: number,
  signal?: AbortSignal,
): Promise<Float32Array> {
  const scores = new Float32Array(sequences.length);
  const shared = shareBeginnings(sequences)
    .map((one) => ({ ...one, tokens: tokensOf(one.group) }))
    .sort((a, b) => a.tokens / a.indices.length - b.tokens / b.indices.length);
  const counts = shared.map(({ tokens }) => tokens);
  for (const [start, end] of packByTokens(counts, batchTokens)) {
    await yieldToEvents(signal);
    const part = shared.slice(start, end);
    const { sumLogprobs } = await model.evaluate(part.map(({ group }) => group));
    for (const [at, index] of part.flatMap(({ indices }) => indices).entries()) scores[index] = sumLogprobs[at]!;
  }
  return scores;
}

const tokensOf = ({ prompt, responses }: PromptGroup): number =>
  responses.reduce((sum, { length }) => sum + length, prompt.length);
