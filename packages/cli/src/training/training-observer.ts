import type { TrainingObserver } from '@metaapo/core';
import type { Metrics } from '@metaapo/core/contracts';
import { createProgress, type Progress } from '../terminal/progress.js';

/** Shows a training on the terminal: rows, tokens a second, loss, and how long it still takes. */
export function trainingObserver(): TrainingObserver {
  let training: Progress | undefined;
  let evaluation: Progress | undefined;
  let first: { readonly tokens: number; readonly at: number } | undefined;
  return {
    step({ step, metrics }, total) {
      const tokens = metrics.num_tokens!;
      // What was done when the first step ended, also by earlier iterations and processes, says nothing of the speed.
      training ??= createProgress('train', process.stderr, step);
      first ??= { tokens, at: performance.now() };
      const rate =
        tokens > first.tokens ? (tokens - first.tokens) / ((performance.now() - first.at) / 1000) : undefined;
      const values = shownOf(metrics, [
        ['loss', 'loss', 4],
        ['rewards/accuracies', 'accuracy', 2],
        ['rewards/margins', 'margin', 3],
      ]);
      training.update(
        step,
        total,
        [rate === undefined ? '' : `${rate.toFixed(0)} tokens/s`, ...values].filter(Boolean).join('  '),
      );
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
      const values = shownOf(metrics, [
        ['eval_loss', 'held-out loss', 4],
        ['eval_perplexity', 'perplexity', 2],
        ['eval_rewards/accuracies', 'accuracy', 4],
        ['eval_rewards/margins', 'margin', 4],
      ]);
      evaluation?.line(`after step ${step}: ${values.join(', ')}`);
      evaluation = undefined;
    },
  };
}

/** Metrics in words, those that are there. */
function shownOf(
  metrics: Metrics,
  shown: readonly (readonly [name: string, label: string, digits: number])[],
): readonly string[] {
  return shown.flatMap(([name, label, digits]) => {
    const value = metrics[name];
    return value === undefined ? [] : [`${label} ${value.toFixed(digits)}`];
  });
}
