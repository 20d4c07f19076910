import type { SampledResponse } from '../contracts/index.js';
import type { Journal, JournalEntry } from '../storage/index.js';

/** What an iteration has journalled so far; a resumed run takes it from here instead of doing it again. */
export interface IterationRecord {
  /** `[rows of the slice]` preference scores s. */
  scores?: Float32Array;
  /** Data set numbers of the rows that get new responses. */
  selected?: ReadonlySet<number>;
  /** Responses by data set number. */
  readonly responses: Map<number, readonly SampledResponse[]>;
  /** Rewards by data set number, in the order of the responses. */
  readonly rewards: Map<number, Float32Array>;
  /** True when training has ended and the model is saved. */
  isDone: boolean;
}

/** The record of one iteration out of a journal. */
export function recordOf(entries: readonly JournalEntry[], iteration: number): IterationRecord {
  const record: IterationRecord = { responses: new Map(), rewards: new Map(), isDone: false };
  for (const entry of entries) {
    if (entry.iteration !== iteration) continue;
    const row = Number(entry.row);
    if (entry.kind === 'scores') record.scores = Float32Array.from(entry.scores as number[]);
    else if (entry.kind === 'selection') record.selected = new Set(entry.selected as number[]);
    else if (entry.kind === 'responses') record.responses.set(row, (entry.responses as StoredResponse[]).map(restored));
    else if (entry.kind === 'rewards')
      record.rewards.set(row, Float32Array.from(entry.rewards as (number | null)[], orNaN));
    else if (entry.kind === 'iteration') record.isDone = true;
  }
  return record;
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

/** JSON writes NaN, an unreadable reward, as null. */
const orNaN = (reward: number | null): number => reward ?? Number.NaN;

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

/** Journals the rewards of a row's responses before they are used. */
export function journalRewards(journal: Journal, iteration: number, row: number, rewards: Float32Array): Promise<void> {
  return journal.append({ kind: 'rewards', iteration, row, rewards: [...rewards] });
}
