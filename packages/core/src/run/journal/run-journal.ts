import type { SampledResponse } from '../../contracts/index.js';
import type { Journal, JournalEntry } from '../../storage/index.js';
import type { PairEntropies } from '../../trainer/index.js';

/**
 * What an iteration has journalled so far; a resumed run takes it from here instead of doing it again. Rewards are not
 * a part of it: they are journalled by content for the whole run.
 */
export interface IterationRecord {
  /** `[rows of the slice]` preference scores s. */
  scores?: Float32Array;
  /** `[rows of the slice]` mean entropies of both responses, where the meta-learner reads them. */
  entropies?: PairEntropies | undefined;
  /** Data set numbers of the rows that get new responses. */
  selected?: ReadonlySet<number>;
  /** Responses by data set number. */
  readonly responses: Map<number, readonly SampledResponse[]>;
}

/** The record of one iteration out of a journal. */
export function recordOf(entries: readonly JournalEntry[], iteration: number): IterationRecord {
  const record: IterationRecord = { responses: new Map() };
  for (const entry of entries) {
    if (entry.iteration !== iteration) continue;
    if (entry.kind === 'scores') {
      record.scores = Float32Array.from(entry.scores as number[]);
      record.entropies = entropiesIn(entry);
    } else if (entry.kind === 'selection') record.selected = new Set(entry.selected as number[]);
    else if (entry.kind === 'responses')
      record.responses.set(Number(entry.row), (entry.responses as StoredResponse[]).map(restored));
  }
  return record;
}

/** A journal entry of the scores of a slice. */
export function scoresEntry(
  iteration: number,
  scores: Float32Array,
  entropies: PairEntropies | undefined,
): JournalEntry {
  const stored = entropies && {
    chosenEntropy: [...entropies.chosenEntropy],
    rejectedEntropy: [...entropies.rejectedEntropy],
  };
  return { kind: 'scores', iteration, scores: [...scores], ...stored };
}

function entropiesIn({ chosenEntropy, rejectedEntropy }: JournalEntry): PairEntropies | undefined {
  if (chosenEntropy === undefined || rejectedEntropy === undefined) return undefined;
  return {
    chosenEntropy: Float32Array.from(chosenEntropy as number[]),
    rejectedEntropy: Float32Array.from(rejectedEntropy as number[]),
  };
}

interface StoredResponse {
  readonly text: string;
  readonly tokens: readonly number[];
  readonly finishReason: SampledResponse['finishReason'];
}

const restored = ({ text, tokens, finishReason }: StoredResponse): SampledResponse => ({
  text,
  tokens: Int32Array.from(tokens),
  finishReason,
});

/** Journals the responses to a row before they are used. */
export function journalResponses(
  journal: Journal,
  iteration: number,
  row: number,
  responses: readonly SampledResponse[],
): Promise<void> {
  const stored = responses.map(({ text, tokens, finishReason }) => ({ text, tokens: [...tokens], finishReason }));
  return journal.append({ kind: 'responses', iteration, row, responses: stored });
}
