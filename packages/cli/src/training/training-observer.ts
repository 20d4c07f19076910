import type { TrainingObserver } from '@metaapo/core';
import type { Metrics } from '@metaapo/core/contracts';
import { createProgress, type Progress } from '../terminal/progress.js';

/** Shows a training on the terminal: rows, tokens a second, loss, and how long it still takes. */
export function trainingObserver(): TrainingObserver {
  let training: Progress | undefined;
  let evaluation: Progress | undefined;
  const speed = tokenSpeed();
  let rows = 0;
  return {
    step(report, total) {
      const { step, metrics } = report;
      training ??= createProgress('train', {
        from: step - 1,
        startedAt: performance.now() - 1000 * metrics['time/step_s']!,
      });
      rows += report.rows.length;
      const values = shownOf(metrics, [
        ['loss', 'loss', 4],
        ['rewards/accuracies', 'accuracy', 2],
        ['rewards/margins', 'margin', 3],
      ]);
      training.update(step, total, [
        ...speed(step, metrics),
        ...values.slice(0, 1),
        `${rows} rows`,
        ...values.slice(1),
      ]);
      if (step === total) training.end();
    },
    warning(text) {
      process.stderr.write(`Warning: ${text}\n`);
    },
    evaluation(done, total) {
      evaluation ??= createProgress('evaluate', { from: done });
      evaluation.update(done, total);
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

/** Tokens a second of the steps of this process, evaluations left out; none until it is known. */
function tokenSpeed(): (step: number, metrics: Metrics) => readonly string[] {
  let before: number | undefined;
  let seconds = 0;
  return (step, metrics) => {
    const tokens = metrics.num_tokens!;
    // The tokens of an interrupted process belong to its own seconds.
    if (before === undefined && step > 1) {
      before = tokens;
      return [];
    }
    before ??= 0;
    seconds += metrics['time/step_s']!;
    return [`${((tokens - before) / seconds).toFixed(0)} tokens/s`];
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
