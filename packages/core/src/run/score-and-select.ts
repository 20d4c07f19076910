import { pairEntropies, pairScores, type RowLogprobs, readRows } from '../trainer/index.js';
import { isReferenceRead } from './reference-passes.js';
import type { IterationContext } from './run-iteration.js';
import { scoresEntry } from './run-journal.js';
import type { RunOptions } from './run-options.js';
import { selectPrompts } from './select-prompts.js';

/** Preference scores s of the slice, journalled; `undefined` where the selection rule reads none. */
export async function scoreSlice(
  options: RunOptions,
  { rows, record, journal, iteration }: IterationContext,
  reference: readonly RowLogprobs[] | undefined,
): Promise<Float32Array | undefined> {
  const { policy, parts, microBatchTokens, observer, signal } = options;
  if (!parts.selection.readsScores) return undefined;
  if (record.scores !== undefined) return record.scores;
  const progress = (done: number): void => observer.stage?.('score', done, rows.length);
  progress(0);
  const readsEntropy = parts.metaLearner.readsEntropy === true;
  const known = isReferenceRead(options, iteration) ? reference : undefined;
  if (known !== undefined) progress(rows.length);
  const { logprobs, entropies } =
    known === undefined
      ? await readRows(policy, rows, { microBatchTokens, entropies: readsEntropy, progress, signal })
      : { logprobs: known };
  record.scores = await pairScores(parts.loss, { rows, policy: logprobs, reference });
  record.entropies = entropies && pairEntropies(rows, entropies);
  await journal.append(scoresEntry(iteration, record.scores, record.entropies));
  return record.scores;
}

/** Weights of the slice, where it was scored; the selected rows go into the record and the journal. */
export async function selectSlice(
  { parts, seed }: RunOptions,
  { rows, record, journal, iteration, state, limit }: IterationContext,
  scores: Float32Array | undefined,
): Promise<Float32Array | undefined> {
  const { weights, selected } = selectPrompts({
    rule: parts.selection,
    learner: parts.metaLearner,
    state: state.metaLearner!,
    rows: rows.map(({ row, chosen, rejected }, index) => ({
      row,
      score: scores?.[index],
      chosenTokens: chosen.length,
      rejectedTokens: rejected.length,
      chosenEntropy: record.entropies?.chosenEntropy[index],
      rejectedEntropy: record.entropies?.rejectedEntropy[index],
    })),
    seed,
    iteration,
    limit,
  });
  if (record.selected === undefined) {
    const numbers = Array.from(selected, (index) => rows[index]!.row);
    await journal.append({ kind: 'selection', iteration, selected: numbers, weights: [...(weights ?? [])] });
    record.selected = new Set(numbers);
  }
  return weights;
}
