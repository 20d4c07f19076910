import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { MetaapoError, type TokenizedPreference } from '../contracts/index.js';
import { type Journal, openJournal } from '../storage/index.js';
import { initialTrainerState, loadTrainerCheckpoint, RUN_FILES, type TrainerState } from '../trainer/index.js';
import { logIteration } from './iteration-metrics.js';
import type { IterationSummary } from './iteration-summary.js';
import { type Annotate, payOnce } from './pay-once.js';
import { evaluateRewards, iterationDirectory, iterationKey, iterationModel, runIteration } from './run-iteration.js';
import { recordOf } from './run-journal.js';
import type { RunOptions } from './run-options.js';
import { servePolicy } from './served-policy.js';

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
 * @throws MetaapoError with code `interrupted` when the signal is aborted; nothing that was paid for is lost
 */
export async function runIterations(given: RunOptions): Promise<RunSummary> {
  const { output, observer } = given;
  const served = servePolicy({ ...given, ...given.parts });
  const options = { ...given, parts: { ...given.parts, sampler: served.sampler } };
  const journal = await openJournal(join(output, RUN_FILES.journal));
  await noteRewardModel(options, journal);
  const annotate = payOnce(options.parts.rewardModel, journal);
  const rewardBefore = await firstReward(options, journal, annotate);
  const summaries: IterationSummary[] = [];
  let state: TrainerState | undefined;
  for (let iteration = 0; iteration < options.iterations; iteration++) {
    const rows = sliceOf(options, iteration);
    if (rows.length === 0) break;
    const known = summaryIn(journal, iteration);
    if (known !== undefined) {
      summaries.push(known);
      await logSummary(options, summaries);
      continue;
    }
    if (state === undefined) {
      state = await stateBefore(options, iteration);
      if (iteration > 0) served.moveTo(iterationModel(output, iteration - 1));
    }
    observer.iteration?.(iteration, rows.length);
    const context = {
      iteration,
      rows,
      record: recordOf(journal.entries, iteration),
      journal,
      state,
      earlierSteps: sumOf(summaries, ({ steps }) => steps),
      annotated: sumOf(summaries, ({ selected }) => selected),
      annotate,
      onTrained: served.moveTo,
    };
    const result = await orInterrupted(options, () => runIteration(options, context));
    await journal.append({ kind: 'iteration', iteration, summary: result.summary });
    if (iteration > 0) await rm(checkpointOf(options, iteration - 1), { recursive: true, force: true });
    observer.summary?.(result.summary);
    summaries.push(result.summary);
    await logSummary(options, summaries);
    state = result.state;
  }
  state ??= await stateBefore(options, summaries.length);
  const modelDirectory = join(output, RUN_FILES.model);
  await options.policy.save(modelDirectory);
  return { iterations: summaries, rewardBefore, modelDirectory };
}

/** Journals by which reward model the rewards that follow are given, and says when it is another one than before. */
async function noteRewardModel({ parts, observer }: RunOptions, journal: Journal): Promise<void> {
  const { fingerprint } = parts.rewardModel;
  const last = journal.entries.findLast(({ kind }) => kind === 'reward-model');
  if (last?.fingerprint === fingerprint) return;
  if (last !== undefined) {
    observer.warning?.(
      'the reward model is another one than before: what it needs of the current iteration is scored anew',
    );
  }
  await journal.append({ kind: 'reward-model', fingerprint });
}

/** Logs the metrics of the last of the iterations that are done. */
function logSummary({ output, parts }: RunOptions, done: readonly IterationSummary[]): Promise<void> {
  const step = sumOf(done, ({ steps }) => steps);
  return logIteration(output, step, done.at(-1)!, parts.trackers);
}

/** Reward of held-out prompts before the first iteration, once a run. */
async function firstReward(options: RunOptions, journal: Journal, annotate: Annotate): Promise<number | undefined> {
  const known = journal.entries.find(({ kind }) => kind === 'start');
  if (known !== undefined) return (known.heldOutReward as number | null | undefined) ?? undefined;
  const reward = await orInterrupted(options, () => evaluateRewards(options, annotate));
  await journal.append({ kind: 'start', heldOutReward: reward });
  return reward;
}

/** Disjoint slices in data set order. */
function sliceOf(
  { rows, iterations, promptsPerIteration }: RunOptions,
  iteration: number,
): readonly TokenizedPreference[] {
  const size = promptsPerIteration ?? Math.ceil(rows.length / iterations);
  return rows.slice(iteration * size, (iteration + 1) * size);
}

function sumOf(summaries: readonly IterationSummary[], read: (summary: IterationSummary) => number): number {
  return summaries.reduce((sum, summary) => sum + read(summary), 0);
}

function summaryIn(journal: Journal, iteration: number): IterationSummary | undefined {
  const entry = journal.entries.find((one) => one.kind === 'iteration' && one.iteration === iteration);
  return entry?.summary as IterationSummary | undefined;
}

const checkpointOf = ({ output }: RunOptions, iteration: number): string =>
  join(iterationDirectory(output, iteration), RUN_FILES.checkpoint);

/** The state that an iteration begins with, in a process that did not run the one before: out of its checkpoint. */
async function stateBefore(options: RunOptions, iteration: number): Promise<TrainerState> {
  if (iteration === 0) return initialTrainerState(options.metaStart);
  const last = iteration - 1;
  return loadTrainerCheckpoint(checkpointOf(options, last), options.policy, iterationKey(options, last));
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
