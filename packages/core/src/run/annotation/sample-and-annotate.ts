import {
  MetaapoError,
  type ResponseSampler,
  type SampledResponse,
  type SampledResponses,
  type SamplingRequest,
  type TokenizedPreference,
  type TrainableModel,
} from '../../contracts/index.js';
import type { RunJournal } from '../../journal/index.js';
import { seedOf } from '../../numerics/index.js';
import { openedPrompt } from '../opened-prompt.js';
import {
  type DrawSource,
  type IterationRecord,
  isDrawn,
  noteResponses,
  responsesEntry,
} from '../resume/iteration-record.js';
import type { StageClock } from '../summary/stage-clock.js';
import { annotateConcurrently } from './annotate-concurrently.js';
import { annotateRows, type RoundsOptions } from './annotate-rows.js';
import type { RowRewards } from './row-rewards.js';

/** What sampling and annotation work with. */
export interface AnnotationOptions extends RoundsOptions {
  readonly sampler: ResponseSampler;
  /** The models that answer, one after another. */
  readonly sources: readonly DrawSource[];
  /** Lends the reference of the iteration, where it answers too. */
  readonly lendReference: (use: (model: TrainableModel) => Promise<void>) => Promise<void>;
  /** Responses of each to a prompt, K. */
  readonly count: number;
  readonly journal: RunJournal;
  /** Whether log-probabilities of responses are read, beside what the rule says. */
  readonly readsLogprobs: boolean;
  readonly clock: StageClock;
  /** Told how many rows have responses, once a model that answers, and how many have rewards. */
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
    const sampling = { rows, record, options: { ...options, signal: either }, add };
    add(rows.filter(({ row }) => isComplete(row, sampling)));
    await clock.time('sample', () => sampleMissing(sampling));
  });
  return rewards;
}

/** What is sampled, and where it goes. */
interface Sampling {
  readonly rows: readonly TokenizedPreference[];
  readonly record: IterationRecord;
  readonly options: AnnotationOptions;
  /** Told of rows that have all of their responses. */
  readonly add: (rows: readonly TokenizedPreference[]) => void;
}

function isComplete(row: number, { record, options }: Pick<Sampling, 'record' | 'options'>): boolean {
  return options.sources.every((source) => isDrawn(record, row, source));
}

async function sampleMissing(sampling: Sampling): Promise<void> {
  const { rows, record, options } = sampling;
  const { sources, sampler, lendReference, progress, signal } = options;
  const missingOf = (source: DrawSource) => rows.filter(({ row }) => !isDrawn(record, row, source));
  let done = sources.reduce((sum, source) => sum + rows.length - missingOf(source).length, 0);
  progress('sample', done);
  const onRow = (): void => progress('sample', ++done);
  for (const source of sources) {
    const missing = missingOf(source);
    if (missing.length === 0) continue;
    const requests = missing.map((row) => requestOf(row, source, options));
    if (source === 'policy') await take(sampler.sample(requests, signal), source, sampling, onRow);
    else {
      // A run whose sampler has no sampleFrom is refused before it begins.
      await lendReference((model) => take(sampler.sampleFrom!(model, requests, signal), source, sampling, onRow));
    }
  }
}

/** Journals and notes what a model answers; what it answers at one time is one write. */
async function take(
  answers: AsyncIterable<SampledResponses>,
  source: DrawSource,
  sampling: Sampling,
  onRow: () => void,
): Promise<void> {
  const { rows, record, add } = sampling;
  const { journal, iteration, count, signal } = sampling.options;
  const byNumber = new Map(rows.map((row) => [row.row, row]));
  const keep = async (given: SampledResponses): Promise<void> => {
    await journal.append(responsesEntry(iteration, given, source));
    noteResponses(record, given.row, source, given.responses);
    onRow();
    if (isComplete(given.row, sampling)) add([byNumber.get(given.row)!]);
  };
  const kept: Promise<void>[] = [];
  const failures: unknown[] = [];
  try {
    for await (const given of answers) {
      checkResponses(given.row, given.responses, count);
      kept.push(keep(given).catch((error) => void failures.push(error)));
      if (failures.length > 0) break;
      signal?.throwIfAborted();
    }
  } finally {
    await Promise.all(kept);
  }
  if (failures.length > 0) throw failures[0];
}

/** What the seeds of a model's draws are named. */
const SEED_NAMES = { policy: 'sample', reference: 'sample-reference' } as const satisfies Record<DrawSource, string>;

function requestOf(row: TokenizedPreference, source: DrawSource, options: AnnotationOptions): SamplingRequest {
  const { promptOf, count, seed, iteration, rule, readsLogprobs } = options;
  const { messages, chat, text } = promptOf(row);
  return {
    row: row.row,
    prompt: openedPrompt(row),
    messages,
    chat,
    text,
    count,
    seed: seedOf([SEED_NAMES[source], seed, iteration, row.row]),
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
