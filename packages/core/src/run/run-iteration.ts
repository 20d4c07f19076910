import type { ResponseSampler, TokenizedPreference } from '../contracts/index.js';
import type { IterationSummary, KlEstimate, RunEntry, RunJournal } from '../journal/index.js';
import { memoryOf } from '../objectives/index.js';
import type { RowLogprobs, TrainerState } from '../trainer/index.js';
import type { RunScorers } from './annotation/annotate-rows.js';
import { heldOutReward } from './annotation/held-out-reward.js';
import type { Annotate } from './annotation/pay-once.js';
import { sampleAndAnnotate } from './annotation/sample-and-annotate.js';
import { type BuiltPairs, buildPairs } from './pairs/build-pairs.js';
import { klToReference } from './reference/kl-to-reference.js';
import { isReferenceRead, offlineReference, withOnlineReference, withReference } from './reference/reference-passes.js';
import type { IterationRecord } from './resume/iteration-record.js';
import type { RunOptions } from './run-options.js';
import { scoreSlice } from './selection/score-slice.js';
import { selectSlice } from './selection/select-prompts.js';
import { summarize } from './summary/iteration-summary.js';
import { type StageClock, withStageClock } from './summary/stage-clock.js';
import { stageTokens } from './summary/stage-tokens.js';
import { trainSlice } from './train-slice.js';

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
  /** Told when training has moved the policy to the model in this directory. */
  readonly onTrained: (modelDirectory: string) => void;
}

/** What an iteration ends with. */
export interface IterationResult {
  readonly summary: IterationSummary;
  readonly state: TrainerState;
}

/** One iteration: score, select, sample, reward, pair, train. What the record holds is not done again. */
export function runIteration(options: RunOptions, context: IterationContext): Promise<IterationResult> {
  const { journal, iteration, entries } = context;
  return withStageClock(journal, iteration, entries, (clock) => runStages(options, context, clock));
}

async function runStages(options: RunOptions, context: IterationContext, clock: StageClock): Promise<IterationResult> {
  const { iteration, rows, record, journal, scorers } = context;
  const { parts, observer } = options;
  const isFree = parts.loss.isReferenceFree;
  const withOffline = parts.pairs.readsOffline === true;
  const offline = isFree
    ? undefined
    : await withReference(options, iteration, (model) =>
        clock.time('reference', () => offlineReference(model, rows, options)),
      );
  const scores = await clock.time('score', () => scoreSlice(options, context, offline));
  const weights = await clock.time('select', () => selectSlice(options, context, scores));
  const wanted = rows.filter(({ row }) => record.selected!.has(row));
  const rewards = await sampleAndAnnotate(wanted, record, {
    ...options,
    ...parts,
    rule: parts.annotation,
    scorers,
    withOffline,
    count: options.responsesPerPrompt,
    journal,
    iteration,
    clock,
    progress: (stage, done) => observer.stage?.(stage, done, wanted.length),
  });
  const given = { responses: record.responses, rewards };
  const built = buildPairs(rows, given, { ...options, rule: parts.pairs, iteration });
  const { kl, reference } = await scoreReference(options, context, { wanted, built, offline }, clock);
  const trained = await clock.time('train', () => trainSlice(options, context, built.rows, reference));
  if (trained.steps > 0) context.onTrained(trained.modelDirectory);
  const heldOut = await clock.time('evaluate', () => evaluateRewards(options, scorers.own.annotate));
  const summary = summarize({
    iteration,
    rows,
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
      isReferred: !isFree,
      isScored: scores !== undefined && !(offline !== undefined && isReferenceRead(options, iteration)),
      trained: trained.state.numTokens - context.state.numTokens,
    }),
    callsPerPrompt: callsPerPrompt(options),
    learner: parts.metaLearner,
    stateBefore: memoryOf(context.state.objective).metaLearner!,
    stateAfter: memoryOf(trained.state.objective).metaLearner!,
    seconds: clock.seconds(),
    heldOutReward: heldOut,
    kl,
  });
  return { summary, state: trained.state };
}

interface OnlinePairs {
  readonly wanted: readonly TokenizedPreference[];
  readonly built: BuiltPairs;
  readonly offline: readonly RowLogprobs[] | undefined;
}

/** What the reference says of new responses. It was closed while they were sampled, and is opened where there are any. */
async function scoreReference(
  options: RunOptions,
  { iteration, record }: IterationContext,
  { wanted, built, offline }: OnlinePairs,
  clock: StageClock,
): Promise<{ readonly kl?: KlEstimate | undefined; readonly reference: readonly RowLogprobs[] | undefined }> {
  if (offline === undefined || wanted.length === 0) return { reference: offline };
  const { policy, microBatchTokens, observer, signal } = options;
  const progress = (done: number, total: number): void => observer.stage?.('kl', done, total);
  return withReference(options, iteration, async (model) => ({
    kl: await clock.time('kl', () =>
      klToReference(policy, model, wanted, record, { microBatchTokens, progress, signal }),
    ),
    reference: await clock.time('pair', () => withOnlineReference(model, built.rows, offline, options)),
  }));
}

/** Most reward calls of a selected row: its responses, and the offline one where the pair rule reads it. */
export function callsPerPrompt({ parts, responsesPerPrompt }: RunOptions): number {
  return responsesPerPrompt + (parts.pairs.readsOffline === true ? 1 : 0);
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
