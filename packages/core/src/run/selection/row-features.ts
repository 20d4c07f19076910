import type { EarlierIteration, RowFeatures, RowOutcome, TokenizedPreference } from '../../contracts/index.js';
import { entriesOfKind, type RunEntry, type RunEntryOf } from '../../journal/index.js';
import type { AnnotatedResponses, ResponseCounts } from '../pairs/build-pairs.js';

/** What is known of a row before anything is sampled. */
export function featuresOf({ row, prompt, chosen, rejected, margin }: TokenizedPreference): RowFeatures {
  return {
    row,
    promptTokens: prompt.length,
    chosenTokens: chosen.length,
    rejectedTokens: rejected.length,
    ...(margin !== undefined && { margin }),
  };
}

/** What the outcomes of a slice are made of. */
export interface OutcomeInput {
  readonly iteration: number;
  /** The rows of the slice, and `[rows]` scores where they were scored. */
  readonly rows: readonly TokenizedPreference[];
  readonly scores: Float32Array | undefined;
  readonly given: AnnotatedResponses;
  readonly built: Pick<ResponseCounts, 'texts' | 'withoutPair'>;
}

/** An entry of what was found about the selected rows of a slice. */
export function outcomesEntry({ iteration, rows, scores, given, built }: OutcomeInput): RunEntryOf<'outcomes'> {
  const outcomes = rows.flatMap((row, index): RowOutcome[] => {
    const annotated = given.rewards.get(row.row);
    if (annotated === undefined) return [];
    const known = annotated.rewards.filter((reward): reward is number => reward !== undefined && !Number.isNaN(reward));
    const reason = built.withoutPair.get(row.row);
    return [
      {
        ...featuresOf(row),
        ...(scores && { score: scores[index]! }),
        ...(known.length > 0 && {
          reward: known.reduce((sum, reward) => sum + reward, 0) / known.length,
          spread: Math.max(...known) - Math.min(...known),
        }),
        pairs: built.texts.get(row.row)?.length ?? 0,
        ...(reason && { reason }),
      },
    ];
  });
  return { kind: 'outcomes', iteration, rows: outcomes };
}

/** What iterations before one found, oldest first; of an iteration that was begun anew the last counts. */
export function earlierIterations(entries: readonly RunEntry[], iteration: number): readonly EarlierIteration[] {
  const found = new Map(entriesOfKind(entries, 'outcomes').map((entry) => [entry.iteration, entry.rows]));
  return [...found]
    .filter(([number]) => number < iteration)
    .sort(([a], [b]) => a - b)
    .map(([number, rows]) => ({ iteration: number, rows }));
}
