import type { IterationSummary, RunObserver, Stage } from '@metaapo/core';
import { createProgress } from '../terminal/progress.js';
import { trainingObserver } from '../training/training-observer.js';

interface StageProgress {
  readonly isEnded: boolean;
  update(done: number, total: number): void;
}

/** A stage's line: how many rows are done, how many a second, and how long it still takes. */
function beginStage(stage: Stage, known: number): StageProgress {
  const progress = createProgress(stage, { from: known });
  const started = performance.now();
  let isEnded = false;
  return {
    get isEnded() {
      return isEnded;
    },
    update(done, total) {
      const rate = (1000 * (done - known)) / (performance.now() - started);
      progress.update(done, total, done > known ? [`${rate.toPrecision(3)} rows/s`] : []);
      isEnded = done >= total;
      if (isEnded) progress.end();
    },
  };
}

/** What each stage took, and how many tokens a second it worked on. */
function stageTimes({ seconds, tokens }: Pick<IterationSummary, 'seconds' | 'tokens'>): string {
  const stages = Object.entries(seconds).filter(([, time]) => time >= 0.05) as [Stage, number][];
  const rate = (stage: Stage, time: number): string =>
    tokens[stage] === undefined ? '' : ` (${(tokens[stage] / time).toFixed(0)} tokens/s)`;
  return stages.map(([stage, time]) => `${stage} ${time.toFixed(1)}${rate(stage, time)}`).join(', ');
}

/** Shows a run on the terminal: one line a stage, then the training, iteration after iteration. */
export function runObserver(): RunObserver {
  let training = trainingObserver();
  const stages = new Map<Stage, StageProgress>();
  return {
    step: (report, total) => training.step?.(report, total),
    warning: (text) => training.warning?.(text),
    evaluation: (rows, total) => training.evaluation?.(rows, total),
    evaluated: (step, metrics) => training.evaluated?.(step, metrics),
    iteration(iteration, rows) {
      training = trainingObserver();
      stages.clear();
      process.stderr.write(`Iteration ${iteration + 1}: ${rows} rows\n`);
    },
    stage(stage, done, total) {
      if (total === 0) return;
      // A stage that begins again, as the evaluation before the first iteration and after it, has a line of its own.
      const known = stages.get(stage);
      const shown = known === undefined || known.isEnded ? beginStage(stage, done) : known;
      stages.set(stage, shown);
      shown.update(done, total);
    },
    served({ difference }) {
      process.stderr.write(`The servers serve the policy: ${difference.toPrecision(2)} nats a token between them\n`);
    },
    summary({ selected, rows, pairs, rewards, seconds, tokens }) {
      const reward = (value: number | undefined): string => value?.toFixed(3) ?? '-';
      const counts = `${selected} of ${rows} rows annotated, ${pairs.pairs} online pairs`;
      process.stderr.write(
        `${counts}; reward of all ${reward(rewards.all)}, chosen ${reward(rewards.chosen)}, rejected ${reward(rewards.rejected)}\n`,
      );
      process.stderr.write(`Seconds: ${stageTimes({ seconds, tokens })}\n`);
    },
  };
}
