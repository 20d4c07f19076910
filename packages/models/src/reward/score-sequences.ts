import { type TrainableScorer, tokensOf, yieldToEvents } from '@metaapo/core/contracts';
import { packByTokens } from '@metaapo/core/numerics';
import { shareBeginnings } from './shared-beginnings.js';

/** Scores `[N]` of sequences, computed in batches of like lengths; what sequences begin with in common is computed once. */
export async function scoreSequences(
  model: Pick<TrainableScorer, 'score'>,
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
    const rewards = await model.score(part.map(({ group }) => group));
    for (const [at, index] of part.flatMap(({ indices }) => indices).entries()) scores[index] = rewards[at]!;
  }
  return scores;
}
