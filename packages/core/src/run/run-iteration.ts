import type {
  EarlierIteration,
  Objective,
  ResponseSampler,
  TokenizedPreference,
  TrainableModel,
} from '../contracts/index.js';
import {
  entriesOfKind,
  type IterationSummary,
  type KlEstimate,
  type RunEntry,
  type RunEntryOf,
  type RunJournal,
} from '../journal/index.js';
import { type RowLogprobs, referenceLogprobs, type TrainerState, type TrainingSummary } from '../trainer/index.js';
import type { RunScorers } from './annotation/annotate-rows.js';
import { heldOutReward } from './annotation/held-out-reward.js';
import type { Annotate } from './annotation/pay-once.js';
import type { RowRewards } from './annotation/row-rewards.js';
import { sampleAndAnnotate } from './annotation/sample-and-annotate.js';
import {
  type AnnotatedResponses,
  type BuiltPairs,
  buildPairs,
  countResponses,
  type ResponseCounts,
} from './pairs/build-pairs.js';
import { klToReference } from './reference/kl-to-reference.js';
import { isReferenceRead, offlineReference, withOnlineReference, withReference } from './reference/reference-passes.js';
import type { DrawSource, IterationRecord } from './resume/iteration-record.js';
import type { RunOptions } from './run-options.js';
import { outcomesEntry } from './selection/row-features.js';
import { scoreSlice } from './selection/score-slice.js';
import { selectSlice } from './selection/select-prompts.js';
import { summarize } from './summary/iteration-summary.js';
import { type StageClock, withStageClock } from './summary/stage-clock.js';
import { stageTokens } from './summary/stage-tokens.js';
import { sampledRows, trainSlice } from './train-slice.js';

/** Where an iteration stands. */
export interface IterationContext {
  readonly iteration: number;
  readonly rows: readonly TokenizedPreference[];
  /** What was journalled of it before, and the entries themselves. */
  readonly record: IterationRecord;
  readonly entries: readonly RunEntry[];
  readonly journal: RunJournal;
  /** State of the trainer at its begin. */
  readonly state: TrainerState;
  /** Optimizer steps of earlier iterations. */
  readonly earlierSteps: number;
  readonly scorers: RunScorers;
  /** Most rows that may be annotated; absent without a budget. */
  readonly limit?: number | undefined;
  /** What iterations before it found. */
  readonly earlier: readonly EarlierIteration[];
  /** Told when training has moved the policy to the model in this directory. */
  readonly onTrained: (modelDirectory: string) => void;
}

/** What an iteration ends with. */
export interface IterationResult {
  readonly summary: IterationSummary;
  readonly state: TrainerState;
  /** What it found about the rows that it selected. */
  readonly outcomes: RunEntryOf<'outcomes'>;
}

/** One iteration: score, select, sample, reward, pair, train. What the record holds is not done again. */
export function runIteration(options: RunOptions, context: IterationContext): Promise<IterationResult> {
  const { journal, iteration, entries } = context;
  return withStageClock(journal, iteration, entries, (clock) => runStages(options, context, clock));
}

async function runStages(options: RunOptions, context: IterationContext, clock: StageClock): Promise<IterationResult> {
  const { rows, record, scorers } = context;
  const { objective } = options.parts;
  const offline = await scoreOffline(options, context, clock);
  const scores = await clock.time('score', () => scoreSlice(options, context, offline));
  const weights = await clock.time('select', () => selectSlice(options, context, scores));
  const wanted = rows.filter(({ row }) => record.selected!.has(row));
  const given = { responses: record.responses, rewards: await annotateSlice(options, context, wanted, clock) };
  const slice = { wanted, given, scores, offline };
  const { built, kl, trained, outcomes } = await trainOn(options, context, slice, clock);
  if (trained.steps > 0) context.onTrained(trained.modelDirectory);
  const heldOut = await clock.time('evaluate', () => evaluateRewards(options, scorers.own.annotate));
  const summary = summarize({
    ...context,
    promptOf: options.promptOf,
    selected: wanted.length,
    steps: trained.steps,
    weights,
    built,
    scores,
    given,
    tokens: stageTokens({
      rows,
      responses: record.responses,
      isReferred: offline !== undefined,
      isScored: scores !== undefined && !(offline !== undefined && isReferenceRead(options, context.iteration)),
      trained: trained.state.numTokens - context.state.numTokens,
    }),
    callsPerPrompt: callsPerPrompt(options),
    weigh: objective.scoring?.weights,
    stateBefore: context.state.objective,
    stateAfter: trained.state.objective,
    seconds: clock.seconds(),
    heldOutReward: heldOut,
    kl,
  });
  return { summary, state: trained.state, outcomes };
}

/** What the reference says of the offline pairs; `undefined` where nothing reads it. */
async function scoreOffline(
  options: RunOptions,
  { iteration, rows }: IterationContext,
  clock: StageClock,
): Promise<readonly RowLogprobs[] | undefined> {
  const { objective } = options.parts;
  if (objective.rowForm !== 'preference' || objective.readsReference === false) return undefined;
  return withReference(options, iteration, (model) =>
    clock.time('reference', () => offlineReference(model, rows, options)),
  );
}

function annotateSlice(
  options: RunOptions,
  { iteration, record, journal, scorers }: IterationContext,
  wanted: readonly TokenizedPreference[],
  clock: StageClock,
): Promise<ReadonlyMap<number, RowRewards>> {
  const { parts, observer } = options;
  const sources = drawSources(options);
  const totals = { sample: wanted.length * sources.length, reward: wanted.length };
  return sampleAndAnnotate(wanted, record, {
    ...options,
    ...parts,
    rule: parts.annotation,
    scorers,
    withOffline: readsOffline(options),
    readsLogprobs: parts.objective.rowForm === 'sampled',
    sources,
    lendReference: (use) => withReference(options, iteration, use),
    count: options.responsesPerPrompt,
    journal,
    iteration,
    clock,
    progress: (stage, done) => observer.stage?.(stage, done, totals[stage]),
  });
}

/** A slice when its responses are scored. */
interface AnnotatedSlice {
  /** The selected rows. */
  readonly wanted: readonly TokenizedPreference[];
  readonly given: AnnotatedResponses;
  readonly scores: Float32Array | undefined;
  readonly offline: readonly RowLogprobs[] | undefined;
}

/** What training on a slice ended with. */
interface TrainedSlice {
  readonly built: ResponseCounts;
  readonly kl?: KlEstimate | undefined;
  readonly trained: TrainingSummary;
  readonly outcomes: RunEntryOf<'outcomes'>;
}

/** Trains on the rows with their online pairs, or on the responses as they were sampled. */
async function trainOn(
  options: RunOptions,
  context: IterationContext,
  slice: AnnotatedSlice,
  clock: StageClock,
): Promise<TrainedSlice> {
  const { objective, pairs: rule } = options.parts;
  if (objective.rowForm === 'sampled') return trainOnSampled(options, context, { ...slice, objective }, clock);
  const { iteration, rows } = context;
  const built = buildPairs(rows, slice.given, { ...options, ...endOf(options), rule: rule!, iteration });
  const outcomes = await noteOutcomes(context, slice, built);
  const { kl, reference } = await scoreReference(options, context, { ...slice, built }, clock);
  const training = { objective, rows: built.rows, reference, heldOut: options.evaluation };
  const trained = await clock.time('train', () => trainSlice<'preference'>(options, context, training));
  return { built, kl, trained, outcomes };
}

async function trainOnSampled(
  options: RunOptions,
  context: IterationContext,
  { objective, ...slice }: AnnotatedSlice & { readonly objective: Objective<'sampled'> },
  clock: StageClock,
): Promise<TrainedSlice> {
  const built = { counts: countResponses(slice.given), texts: new Map(), withoutPair: new Map() };
  const outcomes = await noteOutcomes(context, slice, built);
  const rows = sampledRows(slice.wanted, slice.given, endOf(options).cutEnd);
  const { microBatchTokens, observer, signal } = options;
  const read = async (model: TrainableModel) => ({
    kl: await estimateKl(options, context, { model, wanted: slice.wanted }, clock),
    reference: await clock.time('pair', () => {
      const progress = (done: number): void => observer.stage?.('pair', done, rows.length);
      return referenceLogprobs<'sampled'>({ model, rows, objective, microBatchTokens, progress, signal });
    }),
  });
  const isRead = objective.readsReference !== false && rows.length > 0;
  const { kl, reference } = isRead
    ? await withReference(options, context.iteration, read)
    : { kl: undefined, reference: undefined };
  const training = { objective, rows, reference };
  const trained = await clock.time('train', () => trainSlice<'sampled'>(options, context, training));
  return { built, kl, trained, outcomes };
}

/** What responses get which were cut; nothing where they stay without an end. */
function endOf({ truncated, cutEnd }: RunOptions): Pick<RunOptions, 'cutEnd'> {
  return { cutEnd: truncated === 'keep-ended' ? cutEnd : undefined };
}

/** Journals what was found about the selected rows, once an iteration. */
async function noteOutcomes(
  { iteration, rows, entries, journal }: IterationContext,
  { given, scores }: AnnotatedSlice,
  built: ResponseCounts,
): Promise<RunEntryOf<'outcomes'>> {
  const outcomes = outcomesEntry({ iteration, rows, scores, given, built });
  if (entriesOfKind(entries, 'outcomes').length === 0) await journal.append(outcomes);
  return outcomes;
}

/** What the reference says of new responses. It was closed while they were sampled, and is opened where there are any. */
async function scoreReference(
  options: RunOptions,
  context: IterationContext,
  { wanted, built, offline }: AnnotatedSlice & { readonly built: BuiltPairs },
  clock: StageClock,
): Promise<{ readonly kl?: KlEstimate | undefined; readonly reference: readonly RowLogprobs[] | undefined }> {
  if (offline === undefined || wanted.length === 0) return { reference: offline };
  return withReference(options, context.iteration, async (model) => ({
    kl: await estimateKl(options, context, { model, wanted }, clock),
    reference: await clock.time('pair', () => withOnlineReference(model, built.rows, offline, options)),
  }));
}

function estimateKl(
  { policy, microBatchTokens, observer, signal }: RunOptions,
  { record }: IterationContext,
  { model, wanted }: { readonly model: TrainableModel; readonly wanted: readonly TokenizedPreference[] },
  clock: StageClock,
): Promise<KlEstimate | undefined> {
  const progress = (done: number, total: number): void => observer.stage?.('kl', done, total);
  return clock.time('kl', () => klToReference(policy, model, wanted, record, { microBatchTokens, progress, signal }));
}

/** True where the pair rule has the offline response scored too. */
function readsOffline({ parts: { objective, pairs } }: RunOptions): boolean {
  return objective.rowForm === 'preference' && pairs?.readsOffline === true;
}

/** The models that answer a selected prompt. */
function drawSources({ responsesFrom }: RunOptions): readonly DrawSource[] {
  return responsesFrom === 'both' ? ['policy', 'reference'] : ['policy'];
}

/** Most reward calls of a selected row: its responses, and the offline one where the pair rule reads it. */
export function callsPerPrompt(options: RunOptions): number {
  return options.responsesPerPrompt * drawSources(options).length + (readsOffline(options) ? 1 : 0);
}

/** Mean reward of held-out prompts under the policy as it is now; `undefined` where none are wanted, or none is read. */
export async function evaluateRewards(options: RunOptions, annotate: Annotate): Promise<number | undefined> {
  const { rewardEvaluation, parts, seed, signal, observer } = options;
  if (rewardEvaluation === undefined) return undefined;
  const total = rewardEvaluation.rows.length;
  const sampler = watched(parts.sampler, (done) => observer.stage?.('evaluate', done, total));
  const reward = await heldOutReward(rewardEvaluation, { sampler, annotate, seed, signal });
  if (reward === undefined) observer.warning?.('no reward of a held-out response could be read');
  return reward;
}

/** The sampler, telling how many prompts have their responses. */
function watched(sampler: ResponseSampler, progress: (done: number) => void): ResponseSampler {
  return {
    ...sampler,
    async *sample(requests, signal) {
      let done = 0;
      progress(done);
      for await (const responses of sampler.sample(requests, signal)) {
        progress(++done);
        yield responses;
      }
    },
  };
}
