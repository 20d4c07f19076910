import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { TokenizedPreference, TrainableModel } from '../contracts/index.js';
import { planBatches } from '../numerics/index.js';
import type { Journal } from '../storage/index.js';
import {
  type CheckpointKey,
  evaluateRows,
  groupOf,
  pairScores,
  type RowLogprobs,
  RUN_FILES,
  runTraining,
  saveTrainerCheckpoint,
  type TrainerState,
} from '../trainer/index.js';
import { type BuiltPairs, buildPairs } from './build-pairs.js';
import { heldOutReward } from './held-out-reward.js';
import { type IterationSummary, summarize } from './iteration-summary.js';
import { klToReference } from './kl-to-reference.js';
import type { IterationRecord } from './run-journal.js';
import type { ReferenceSource, RunOptions, Stage } from './run-options.js';
import { sampleAndAnnotate } from './sample-and-annotate.js';
import { selectPrompts } from './select-prompts.js';

/** Where an iteration stands. */
export interface IterationContext {
  readonly iteration: number;
  readonly rows: readonly TokenizedPreference[];
  /** What was journalled of it before. */
  readonly record: IterationRecord;
  readonly journal: Journal;
  /** State of the trainer at its begin. */
  readonly state: TrainerState;
  /** Optimizer steps of earlier iterations. */
  readonly earlierSteps: number;
  /** Rows annotated in earlier iterations. */
  readonly annotated: number;
  /** Told when training has moved the policy to the model in this directory. */
  readonly onTrained: (modelDirectory: string) => void;
}

/** Directory of an iteration inside a run directory. */
export function iterationDirectory(output: string, iteration: number): string {
  return join(output, 'iterations', String(iteration));
}

/** Directory of the model that an iteration ended with. */
export function iterationModel(output: string, iteration: number): string {
  return join(iterationDirectory(output, iteration), RUN_FILES.model);
}

/** Key of the checkpoints of an iteration. */
export function iterationKey({ key }: RunOptions, iteration: number): CheckpointKey {
  return { ...key, recipe: `${key.recipe}/${iteration}` };
}

/** One iteration: score, select, sample, reward, pair, train. What the record holds is not done again. */
export async function runIteration(
  options: RunOptions,
  context: IterationContext,
): Promise<{ readonly summary: IterationSummary; readonly state: TrainerState }> {
  const { iteration, rows, record, journal } = context;
  const { parts, observer } = options;
  const seconds: Partial<Record<Stage, number>> = {};
  const timed = async <Result>(stage: Stage, run: () => Promise<Result>): Promise<Result> => {
    const started = performance.now();
    const result = await run();
    seconds[stage] = (performance.now() - started) / 1000;
    return result;
  };
  const { reference, weights, built, completed, kl } = await withReference(options, iteration, async (model) => {
    const offline = await timed('score', () => referenceOf(model, rows, options));
    const scores = await scoreSlice(options, context, offline);
    const selection = await timed('select', () => selectSlice(options, context, scores));
    const wanted = rows.filter(({ row }) => record.selected!.has(row));
    const times = await sampleAndAnnotate(wanted, record, {
      ...options,
      ...parts,
      count: options.responsesPerPrompt,
      journal,
      iteration,
      progress: (stage, done) => observer.stage?.(stage, done, wanted.length),
    });
    Object.assign(seconds, { sample: times.sampleSeconds, reward: times.rewardSeconds });
    const made = buildPairs(rows, record, { ...options, rule: parts.pairs, iteration });
    return {
      reference: offline,
      weights: selection,
      built: made,
      kl: model && (await klToReference(options.policy, model, wanted, record, options)),
      completed: await timed('pair', () => completeReference(model, made, offline, options)),
    };
  });
  const trained = await timed('train', () => trainSlice(options, context, built, completed ?? reference));
  if (trained.steps > 0) context.onTrained(trained.modelDirectory);
  const summary = summarize({
    iteration,
    rows,
    promptOf: options.promptOf,
    selected: record.selected!.size,
    steps: trained.steps,
    weights,
    built,
    record,
    rewards: record.rewards.values(),
    responsesPerPrompt: options.responsesPerPrompt,
    learner: parts.metaLearner,
    stateBefore: context.state.metaLearner!,
    stateAfter: trained.state.metaLearner!,
    seconds,
    heldOutReward: await evaluateRewards(options),
    kl,
  });
  return { summary, state: trained.state };
}

/** Mean reward of held-out prompts under the policy as it is now; `undefined` where none are wanted. */
export async function evaluateRewards(options: RunOptions): Promise<number | undefined> {
  const { rewardEvaluation, parts, seed, signal } = options;
  return rewardEvaluation && heldOutReward(rewardEvaluation, { ...parts, seed, signal });
}

/** The reference of an iteration, opened, used and disposed; none for a reference-free loss. */
async function withReference<Result>(
  { parts, openReference, referencePolicy, output }: RunOptions,
  iteration: number,
  use: (model: TrainableModel | undefined) => Promise<Result>,
): Promise<Result> {
  if (parts.loss.isReferenceFree) return use(undefined);
  const isFirst = iteration === 0 || referencePolicy === 'fixed';
  const lagging: ReferenceSource = iteration === 1 ? 'start' : { directory: iterationModel(output, iteration - 2) };
  const model = await openReference(isFirst ? 'first' : lagging);
  try {
    return await use(model);
  } finally {
    model.dispose();
  }
}

async function referenceOf(
  model: TrainableModel | undefined,
  rows: readonly TokenizedPreference[],
  { microBatchTokens, signal }: RunOptions,
): Promise<readonly RowLogprobs[] | undefined> {
  return model && evaluateRows(model, rows, microBatchTokens, { signal });
}

/** Preference scores s of the slice, journalled; zeros where the rule reads none and no online pair will need them. */
async function scoreSlice(
  options: RunOptions,
  { rows, record, journal, iteration }: IterationContext,
  reference: readonly RowLogprobs[] | undefined,
): Promise<Float32Array> {
  if (record.scores !== undefined) return record.scores;
  const { policy, parts, microBatchTokens, observer, signal } = options;
  const progress = (done: number): void => observer.stage?.('score', done, rows.length);
  const logprobs = await evaluateRows(policy, rows, microBatchTokens, { progress, signal });
  const scores = await pairScores(parts.loss, { rows, policy: logprobs, reference });
  await journal.append({ kind: 'scores', iteration, scores: [...scores] });
  record.scores = scores;
  return scores;
}

/** Weights of the slice; the selected rows go into the record and the journal. */
async function selectSlice(
  options: RunOptions,
  { rows, record, journal, iteration, state, annotated }: IterationContext,
  scores: Float32Array,
): Promise<Float32Array> {
  const { parts, seed, annotationLimit } = options;
  const { weights, selected } = selectPrompts({
    rule: parts.selection,
    learner: parts.metaLearner,
    state: state.metaLearner!,
    rows: rows.map(({ row, chosen, rejected }, index) => ({
      row,
      score: scores[index]!,
      chosenTokens: chosen.length,
      rejectedTokens: rejected.length,
    })),
    seed,
    iteration,
    limit: annotationLimit === undefined ? undefined : Math.max(0, annotationLimit - annotated),
  });
  if (record.selected === undefined) {
    const numbers = Array.from(selected, (index) => rows[index]!.row);
    await journal.append({ kind: 'selection', iteration, selected: numbers, weights: [...weights] });
    record.selected = new Set(numbers);
  }
  return weights;
}

/** Reference log-probabilities of all responses: those of offline pairs are known, those of online pairs are added. */
async function completeReference(
  model: TrainableModel | undefined,
  { rows }: BuiltPairs,
  offline: readonly RowLogprobs[] | undefined,
  options: RunOptions,
): Promise<readonly RowLogprobs[] | undefined> {
  if (model === undefined || offline === undefined) return undefined;
  const paired = rows.filter((row) => groupOf(row).responses.length === 4);
  const online = await evaluateRows(
    model,
    paired.map(({ row, prompt, onlineChosen, onlineRejected }) => ({
      row,
      prompt,
      chosen: onlineChosen!,
      rejected: onlineRejected!,
    })),
    options.microBatchTokens,
    { signal: options.signal },
  );
  const byRow = new Map(paired.map(({ row }, index) => [row, online[index]!]));
  return rows.map(({ row }, index) => Float32Array.from([...offline[index]!, ...(byRow.get(row) ?? [])]));
}

async function trainSlice(
  options: RunOptions,
  { iteration, state, earlierSteps }: IterationContext,
  { rows }: BuiltPairs,
  reference: readonly RowLogprobs[] | undefined,
) {
  const { parts, policy, output, metaUpdateEvery } = options;
  const isKept = (row: TokenizedPreference): boolean =>
    options.unselected === 'keep' || groupOf(row).responses.length === 4;
  const kept = rows.flatMap((row, index) => (isKept(row) ? [index] : []));
  const plan = planBatches({ ...options, rowCount: kept.length, seed: options.seed + iteration });
  const directory = iterationDirectory(output, iteration);
  const checkpointDirectory = join(directory, RUN_FILES.checkpoint);
  const key = iterationKey(options, iteration);
  const trained = await runTraining({
    ...options,
    ...parts,
    model: policy,
    rows: kept.map((index) => rows[index]!),
    reference: reference && kept.map((index) => reference[index]!),
    plan,
    schedule: options.scheduleOf(plan.totalSteps),
    meta: { learner: parts.metaLearner, updateEvery: metaUpdateEvery, iteration },
    start: { ...state, step: 0 },
    key,
    resume: existsSync(checkpointDirectory),
    checkpointDirectory,
    modelDirectory: iterationModel(output, iteration),
    earlierSteps,
    iteration,
  });
  await saveTrainerCheckpoint(checkpointDirectory, policy, trained.state, key);
  return trained;
}
