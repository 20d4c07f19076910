import type { TrainingObserver } from '@metaapo/core';
import { createProgress, type Progress } from '../terminal/progress.js';

/** Shows a training on the terminal: rows, tokens a second, loss, and how long it still takes. */
export function trainingObserver(): TrainingObserver {
  let training: Progress | undefined;
  let evaluation: Progress | undefined;
  let first: { readonly tokens: number; readonly at: number } | undefined;
  return {
    step({ step, metrics }, total) {
      training ??= createProgress('train');
      const tokens = metrics.num_tokens!;
      first ??= { tokens: 0, at: performance.now() - 1000 * metrics['time/step_s']! };
      const rate = (tokens - first.tokens) / ((performance.now() - first.at) / 1000);
      const details = [
        `${rate.toFixed(0)} tokens/s`,
        `loss ${metrics.loss!.toFixed(4)}`,
        `accuracy ${metrics['rewards/accuracies']!.toFixed(2)}`,
        `margin ${metrics['rewards/margins']!.toFixed(3)}`,
      ].join('  ');
      training.update(step, total, details);
      if (step === total) training.end();
    },
    warning(text) {
      process.stderr.write(`Warning: ${text}\n`);
    },
    evaluation(rows, total) {
      evaluation ??= createProgress('evaluate');
      evaluation.update(rows, total);
    },
    evaluated(step, metrics) {
      evaluation?.line(
        `after step ${step}: held-out loss ${metrics.eval_loss!.toFixed(4)}, ` +
          `accuracy ${metrics['eval_rewards/accuracies']!.toFixed(4)}, margin ${metrics['eval_rewards/margins']!.toFixed(4)}`,
      );
      evaluation = undefined;
    },
  };
}
