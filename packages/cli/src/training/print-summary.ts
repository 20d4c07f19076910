import type { TrainingSummary } from '@metaapo/core';
import type { Metrics } from '@metaapo/core/contracts';

const shown: readonly (readonly [name: string, label: string])[] = [
  ['eval_loss', 'loss'],
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
      lines.push(`${label.padEnd(18)}${value(before, name).padStart(10)}${value(after, name).padStart(10)}`);
    }
  }
  process.stdout.write(`${lines.join('\n')}\n`);
}
