import type { RunObserver, Stage } from '@metaapo/core';
import { createProgress, type Progress } from '../terminal/progress.js';
import { trainingObserver } from '../training/training-observer.js';

/** Shows a run on the terminal: one line a stage, then the training, iteration after iteration. */
export function runObserver(): RunObserver {
  let training = trainingObserver();
  const stages = new Map<Stage, Progress>();
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
      const progress = stages.get(stage) ?? createProgress(stage, { from: done });
      stages.set(stage, progress);
      progress.update(done, total);
      if (done === total) progress.end();
    },
    served({ difference }) {
      process.stderr.write(`The servers serve the policy: ${difference.toPrecision(2)} nats a token between them\n`);
    },
    summary({ selected, rows, pairs, rewards }) {
      const reward = (value: number | undefined): string => value?.toFixed(3) ?? '-';
      const counts = `${selected} of ${rows} rows annotated, ${pairs.pairs} online pairs, ${pairs.tie + pairs.twins} ties`;
      process.stderr.write(
        `${counts}; reward of all ${reward(rewards.all)}, chosen ${reward(rewards.chosen)}, rejected ${reward(rewards.rejected)}\n`,
      );
    },
  };
}
