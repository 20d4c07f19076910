import { pairEntropies } from '../../objectives/index.js';
import { type RowLogprobs, readRows } from '../../trainer/index.js';
import { isReferenceRead } from '../reference/reference-passes.js';
import { scoresEntry } from '../resume/iteration-record.js';
import type { IterationContext } from '../run-iteration.js';
import type { RunOptions } from '../run-options.js';

/** Preference scores s of the slice, journalled; `undefined` where the selection rule reads none. */
export async function scoreSlice(
  options: RunOptions,
  { rows, record, journal, iteration }: IterationContext,
  reference: readonly RowLogprobs[] | undefined,
): Promise<Float32Array | undefined> {
  const { policy, parts, microBatchTokens, observer, signal } = options;
  const { scoring } = parts.objective;
  if (!parts.selection.readsScores || scoring === undefined) return undefined;
  if (record.scores !== undefined) return record.scores;
  const progress = (done: number): void => observer.stage?.('score', done, rows.length);
  progress(0);
  const known = isReferenceRead(options, iteration) ? reference : undefined;
  if (known !== undefined) progress(rows.length);
  const { logprobs, entropies } =
    known === undefined
      ? await readRows(policy, rows, { microBatchTokens, entropies: scoring.readsEntropy, progress, signal })
      : { logprobs: known };
  record.scores = await scoring.scores({ rows, reference }, logprobs);
  record.entropies = entropies && pairEntropies(rows, entropies);
  await journal.append(scoresEntry(iteration, record.scores, record.entropies));
  return record.scores;
}
