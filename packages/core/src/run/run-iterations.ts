import { join } from 'node:path';
import { isMetaapoError, MetaapoError } from '../contracts/index.js';
import {
  type EntryHeader,
  entriesOfKind,
  type IterationSummary,
  openRunJournal,
  type RunEntry,
  type RunJournal,
  readRunJournal,
} from '../journal/index.js';
import { RUN_FILES, removeDirectory } from '../storage/index.js';
import { initialTrainerState, loadTrainerCheckpoint, type TrainerState } from '../trainer/index.js';
import { scorersOf } from './annotation/annotate-rows.js';
import { annotationLimit } from './annotation/annotation-limit.js';
import type { Annotate } from './annotation/pay-once.js';
import { iterationSlices } from './iteration-slices.js';
import { iterationCheckpoint, iterationKey, iterationModel } from './resume/iteration-files.js';
import { recordOf } from './resume/iteration-record.js';
import { claimJournal, sinceOtherData } from './resume/run-key.js';
import { callsPerPrompt, evaluateRewards, runIteration } from './run-iteration.js';
import type { RunOptions } from './run-options.js';
import { earlierIterations } from './selection/row-features.js';
import { servePolicy } from './serving/served-policy.js';
import { logIteration } from './summary/iteration-metrics.js';

/** What a run ended with. */
export interface RunSummary {
  readonly iterations: readonly IterationSummary[];
  /** Mean reward of held-out prompts before the first iteration. */
  readonly rewardBefore?: number | undefined;
  readonly modelDirectory: string;
}

/**
 * Runs the iterations of MetaAPO (arXiv 2509.23371) over disjoint slices of the rows. Whatever is journalled is not done
 * again, so a resumed run goes on where it stopped: with the same rows, seeds, responses, rewards and states.
 * @throws MetaapoError with code `interrupted` when the signal is aborted: nothing that was paid for is lost; `config`
 * when the journal is that of another run
 */
export async function runIterations(given: RunOptions): Promise<RunSummary> {
  const { output, observer } = given;
  checkObjective(given.parts);
  checkSources(given);
  checkPolicy(given);
  await observer.begin?.({ directory: output });
  const served = servePolicy({ ...given, ...given.parts });
  const journal = await openRunJournal(join(output, RUN_FILES.journal), isOfWholeRun);
  const key = await claim(given, journal);
  const options = { ...given, key, parts: { ...given.parts, sampler: served.sampler } };
  await noteRewardModel(options, journal);
  const scorers = scorersOf(options.parts.annotation, options.parts.rewardModel, journal);
  const rewardBefore = await firstReward(options, journal, scorers.own.annotate);
  const summaries: IterationSummary[] = [];
  const found: RunEntry[] = [...journal.entries];
  let state: TrainerState | undefined;
  for (const [iteration, { start, end }] of iterationSlices(options.rows.length, options).entries()) {
    const known = summaryIn(journal, iteration);
    if (known !== undefined) {
      if (given.key.data === key.data) requireSameSlice(options, known, end - start);
      summaries.push(known);
      await logSummary(options, summaries);
      continue;
    }
    let entries: readonly RunEntry[] = [];
    if (state === undefined) {
      state = await stateBefore(options, iteration);
      if (iteration > 0) served.moveTo(iterationModel(output, iteration - 1));
      entries = await entriesOf(options, iteration);
    }
    observer.iteration?.(iteration, end - start);
    const context = {
      iteration,
      rows: options.rows.slice(start, end),
      record: recordOf(entries),
      entries,
      journal,
      state,
      earlierSteps: sumOf(summaries, ({ steps }) => steps),
      scorers,
      limit: limitOf(options, end, summaries),
      earlier: earlierIterations(found, iteration),
      onTrained: served.moveTo,
    };
    const result = await orInterrupted(options, () => runIteration(options, context));
    await journal.append({ kind: 'iteration', iteration, summary: result.summary });
    if (iteration > 0) await removeDirectory(iterationCheckpoint(output, iteration - 1));
    observer.summary?.(result.summary);
    summaries.push(result.summary);
    found.push(result.outcomes);
    await logSummary(options, summaries);
    state = result.state;
  }
  state ??= await stateBefore(options, summaries.length);
  const modelDirectory = join(output, RUN_FILES.model);
  await options.policy.save(modelDirectory);
  return { iterations: summaries, rewardBefore, modelDirectory };
}

/** @throws MetaapoError with code `config` when the objective lacks what selects its prompts or makes its pairs */
function checkObjective({ selection, objective, pairs }: RunOptions['parts']): void {
  if (objective.rowForm === 'preference' && pairs === undefined) {
    throw new MetaapoError('config', 'preferences are trained, and no rule makes online pairs', {
      where: `objective ${objective.id}`,
      expected: 'a pair rule, such as best-worst',
      remedy: 'Give the run one in parts.pairs',
    });
  }
  if (!selection.readsScores || objective.scoring !== undefined) return;
  throw new MetaapoError('config', 'the objective gives no preference scores to select prompts by', {
    where: `selection rule ${selection.id}, objective ${objective.id}`,
    expected: 'a selection rule that reads no scores, such as all, random or none',
    remedy: 'Choose such a rule as the selection of the recipe, or the objective preference',
  });
}

/** @throws MetaapoError with code `config` when the reference is to answer and the sampler draws from the policy alone */
function checkSources({ responsesFrom, parts: { sampler } }: RunOptions): void {
  if (responsesFrom !== 'both' || sampler.sampleFrom !== undefined) return;
  throw new MetaapoError('config', 'this sampler draws from the policy alone, and the reference is to answer too', {
    where: `responsesFrom, sampler ${sampler.id}`,
    expected: 'a sampler that draws from any model of the run, such as local',
    got: 'responsesFrom: both',
    remedy: 'Choose the sampler local, or leave responsesFrom out',
  });
}

/** @throws MetaapoError with code `config` when the policy cannot be trained as it is wanted */
function checkPolicy({ policy, optimizerState, truncated, cutEnd }: RunOptions): void {
  if (optimizerState === 'fresh' && policy.resetMoments === undefined) {
    throw new MetaapoError('config', 'the optimizer of this model cannot begin anew in every iteration', {
      where: 'optimizerState',
      expected: 'a model that can set its moments to zero, such as local',
      got: 'optimizerState: fresh',
      remedy: 'Set optimizerState to carry, or choose another model',
    });
  }
  if (truncated !== 'keep-ended' || cutEnd !== undefined) return;
  throw new MetaapoError('config', 'cut responses are to get an end-of-sequence token, and none is known', {
    where: 'truncated',
    expected: 'eos_token in tokenizer_config.json, or eos_token_id in the config of the model',
    got: 'truncated: keep-ended',
    remedy: 'Add it to the model directory, or set truncated to keep or drop',
  });
}

/** What stays in memory of the journal: not what single iterations did. */
const isOfWholeRun = ({ kind, iteration }: EntryHeader): boolean =>
  iteration === undefined || kind === 'iteration' || kind === 'outcomes';

/** What the journal holds of an iteration that was begun. */
async function entriesOf({ output }: RunOptions, iteration: number): Promise<readonly RunEntry[]> {
  const isWanted = (entry: EntryHeader): boolean => entry.iteration === iteration || entry.kind === 'changed';
  return sinceOtherData(await readRunJournal(join(output, RUN_FILES.journal), isWanted));
}

/** The key that the run was started with. */
function claim({ output, key, policy, allowChanges = false, observer }: RunOptions, journal: RunJournal) {
  const finished = entriesOfKind(journal.entries, 'iteration').length;
  return claimJournal(journal, {
    output,
    key: { ...key, policy: policy.fingerprint, computedBy: policy.computedBy },
    allowChanges,
    warn: (text) => observer.warning?.(text),
    discardProgress: () => removeDirectory(iterationCheckpoint(output, finished)),
  });
}

/** Journals by which reward model the rewards that follow are given, and says when it is another one than before. */
async function noteRewardModel({ parts, observer }: RunOptions, journal: RunJournal): Promise<void> {
  const { fingerprint } = parts.rewardModel;
  const last = entriesOfKind(journal.entries, 'reward-model').at(-1);
  if (last?.fingerprint === fingerprint) return;
  if (last !== undefined) {
    observer.warning?.(
      'the reward model is another one than before: what it needs of the current iteration is scored anew',
    );
  }
  await journal.append({ kind: 'reward-model', fingerprint });
}

/**
 * Later slices begin where those that were trained end.
 * @throws MetaapoError with code `config` when the same data is divided in another way than before
 */
function requireSameSlice({ output }: RunOptions, known: IterationSummary, rows: number): void {
  if (known.rows === rows) return;
  throw new MetaapoError('config', 'rows would be left out or trained twice, since the iterations are other ones', {
    where: output,
    expected: `${known.rows} rows an iteration, as in those that are done`,
    got: `${rows} rows`,
    remedy: `Set promptsPerIteration to ${known.rows} beside another number of iterations, or start another run with --set output=...`,
  });
}

/** Logs the metrics of the last of the iterations that are done. */
function logSummary({ output, observer }: RunOptions, done: readonly IterationSummary[]): Promise<void> {
  const step = sumOf(done, ({ steps }) => steps);
  return logIteration(output, step, done.at(-1)!, observer);
}

/** Reward of held-out prompts before the first iteration, once a run. */
async function firstReward(options: RunOptions, journal: RunJournal, annotate: Annotate): Promise<number | undefined> {
  const [known] = entriesOfKind(journal.entries, 'baseline');
  if (known !== undefined) return known.heldOutReward ?? undefined;
  const heldOutReward = await orInterrupted(options, () => evaluateRewards(options, annotate));
  await journal.append({ kind: 'baseline', heldOutReward });
  return heldOutReward;
}

/** Most rows that an iteration may annotate, whose rows end at `rowsSoFar`. */
function limitOf(options: RunOptions, rowsSoFar: number, earlier: readonly IterationSummary[]): number | undefined {
  const { budget, rows } = options;
  if (budget === undefined) return undefined;
  const rowsInAll = iterationSlices(rows.length, options).at(-1)?.end ?? 0;
  const callsPerRow = callsPerPrompt(options);
  const limit = annotationLimit(budget, { rowsSoFar, rowsInAll, callsPerRow });
  const spared = 'share' in budget ? 0 : sumOf(earlier, ({ annotations }) => annotations.spared ?? 0);
  return Math.max(0, limit - sumOf(earlier, ({ selected }) => selected) + Math.floor(spared / callsPerRow));
}

function sumOf(summaries: readonly IterationSummary[], read: (summary: IterationSummary) => number): number {
  return summaries.reduce((sum, summary) => sum + read(summary), 0);
}

function summaryIn(journal: RunJournal, iteration: number): IterationSummary | undefined {
  return entriesOfKind(journal.entries, 'iteration').find((entry) => entry.iteration === iteration)?.summary;
}

/** The state that an iteration begins with, in a process that did not run the one before: out of its checkpoint. */
async function stateBefore(options: RunOptions, iteration: number): Promise<TrainerState> {
  const { output, policy, key, seed } = options;
  if (iteration === 0) return initialTrainerState(options.parts.objective, seed);
  const last = iteration - 1;
  try {
    return await loadTrainerCheckpoint(iterationCheckpoint(output, last), policy, iterationKey(key, last));
  } catch (error) {
    if (!isMetaapoError(error) || error.code !== 'checkpoint') throw error;
    const { remedy: _, ...fault } = error.fault;
    const remedy =
      `Restore ${iterationCheckpoint(output, last)} from a copy: iteration ${last + 1} ended with it, and the next one ` +
      `begins with it. Without one start another run, whose model may be ${iterationModel(output, last)}`;
    throw new MetaapoError('checkpoint', 'what the iteration before ended with cannot be read', {
      ...fault,
      got: fault.got ?? 'something else',
      remedy,
      cause: error,
    });
  }
}

async function orInterrupted<Result>({ signal, output }: RunOptions, run: () => Promise<Result>): Promise<Result> {
  try {
    return await run();
  } catch (error) {
    if (!signal?.aborted || error instanceof MetaapoError) throw error;
    throw new MetaapoError('interrupted', 'the run was stopped', {
      where: output,
      remedy: 'All responses and rewards so far are journalled; the same command with --resume goes on from there',
    });
  }
}
