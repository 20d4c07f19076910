import type { TrainingSummary } from '@metaapo/core';
import type { Metrics } from '@metaapo/core/contracts';

const shown: readonly (readonly [name: string, label: string])[] = [
  ['eval_loss', 'loss'],
  ['eval_perplexity', 'perplexity'],
  ['eval_rewards/accuracies', 'reward accuracy'],
  ['eval_rewards/margins', 'reward margin'],
];

/** Prints held-out metrics before and after a training. */
export function printSummary({ before, after, steps, modelDirectory }: TrainingSummary): void {
  const lines = [`${steps} steps done; the model is in ${modelDirectory}`];
  if (after !== undefined) {
    const value = (metrics: Metrics | undefined, name: string): string => metrics?.[name]?.toFixed(4) ?? '-';
    lines.push(`${'held-out'.padEnd(18)}${'before'.padStart(10)}${'after'.padStart(10)}`);
    for (const [name, label] of shown) {
      if (after[name] === undefined) continue;
      lines.push(`${label.padEnd(18)}${value(before, name).padStart(10)}${value(after, name).padStart(10)}`);
    }
  }
  process.stdout.write(`${lines.join('\n')}\n`);
}

/** Prints the held-out accuracy with its 95 % interval (Wilson's). */
export function printAccuracy({ after }: TrainingSummary, pairs: number): void {
  const accuracy = after?.['eval_rewards/accuracies'];
  if (accuracy === undefined || pairs === 0) return;
  const z = 1.96;
  const centre = (accuracy + z ** 2 / (2 * pairs)) / (1 + z ** 2 / pairs);
  const half = (z * Math.sqrt((accuracy * (1 - accuracy)) / pairs + z ** 2 / (4 * pairs ** 2))) / (1 + z ** 2 / pairs);
  const interval = `${(centre - half).toFixed(3)} to ${(centre + half).toFixed(3)}`;
  process.stdout.write(`Held-out accuracy ${accuracy.toFixed(3)}, 95 % interval ${interval} (${pairs} pairs)\n`);
}
