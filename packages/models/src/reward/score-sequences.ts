import { MetaapoError, yieldToEvents } from '@metaapo/core/contracts';
import { packByTokens } from '@metaapo/core/numerics';
import { readModelConfig } from '../checkpoint/model-config.js';
import type { LanguageModel } from '../language-model/load-language-model.js';

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
