import type { ResponseSampler, SampledResponse, SamplingRequest, TokenizedPreference } from '../../contracts/index.js';
import { MetaapoError } from '../../contracts/index.js';
import type { RunJournal } from '../../journal/index.js';
import { seedOf } from '../../numerics/index.js';
import { openedPrompt } from '../opened-prompt.js';
import { type IterationRecord, responsesEntry } from '../resume/iteration-record.js';
import type { StageClock } from '../summary/stage-clock.js';
import { annotateConcurrently } from './annotate-concurrently.js';
import { annotateRows, type RoundsOptions } from './annotate-rows.js';
import type { RowRewards } from './row-rewards.js';

/** What sampling and annotation work with. */
export interface AnnotationOptions extends RoundsOptions {
  readonly sampler: ResponseSampler;
  /** Responses a prompt, K. */
  readonly count: number;
  readonly journal: RunJournal;
  /** Whether log-probabilities of responses are read, beside what the rule says. */
  readonly readsLogprobs: boolean;
  readonly clock: StageClock;
  /** Told how many rows have responses, and how many have rewards. */
  readonly progress: (stage: 'sample' | 'reward', rows: number) => void;
}

/**
 * New responses to the rows, annotated while others are still being written. What the record holds is not sampled
 * again; everything is journalled before it is used.
 * @returns the rewards by data set number
 */
export async function sampleAndAnnotate(
  rows: readonly TokenizedPreference[],
  record: IterationRecord,
  options: AnnotationOptions,
): Promise<ReadonlyMap<number, RowRewards>> {
  const { clock, signal, progress } = options;
  const rewards = new Map<number, RowRewards>();
  const annotate = async (batch: readonly TokenizedPreference[]): Promise<void> => {
    const sampled = batch.map((row) => ({ row, responses: record.responses.get(row.row)! }));
    const annotated = await clock.time('reward', () => annotateRows(sampled, options));
    for (const [index, given] of annotated.entries()) rewards.set(batch[index]!.row, given);
    progress('reward', rewards.size);
  };
  await annotateConcurrently<TokenizedPreference>(annotate, signal, async (add, either) => {
    add(rows.filter(({ row }) => record.responses.has(row)));
    await clock.time('sample', () => sampleMissing(rows, record, { ...options, signal: either }, add));
  });
  return rewards;
}

async function sampleMissing(
  rows: readonly TokenizedPreference[],
  record: IterationRecord,
  options: AnnotationOptions,
  add: (rows: readonly TokenizedPreference[]) => void,
): Promise<void> {
  const { sampler, journal, iteration, count, progress, signal } = options;
  const missing = new Map(rows.filter(({ row }) => !record.responses.has(row)).map((row) => [row.row, row]));
  progress('sample', record.responses.size);
  if (missing.size === 0) return;
  const requests = [...missing.values()].map((row) => requestOf(row, options));
  for await (const { row, responses } of sampler.sample(requests, signal)) {
    checkResponses(row, responses, count);
    await journal.append(responsesEntry(iteration, row, responses));
    record.responses.set(row, responses);
    progress('sample', record.responses.size);
    add([missing.get(row)!]);
    signal?.throwIfAborted();
  }
}

function requestOf(row: TokenizedPreference, options: AnnotationOptions): SamplingRequest {
  const { promptOf, count, seed, iteration, rule, readsLogprobs } = options;
  const { messages, chat, text } = promptOf(row);
  return {
    row: row.row,
    prompt: openedPrompt(row),
    messages,
    chat,
    text,
    count,
    seed: seedOf(['sample', seed, iteration, row.row]),
    ...((readsLogprobs || rule.readsLogprobs === true) && { logprobs: true }),
  };
}

function checkResponses(row: number, responses: readonly SampledResponse[], count: number): void {
  if (responses.length === count) return;
  throw new MetaapoError('network', 'the sampler gave another number of responses than it was asked for', {
    where: `row ${row}`,
    expected: String(count),
    got: String(responses.length),
  });
}
