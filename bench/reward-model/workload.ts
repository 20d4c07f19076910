import { createHash } from 'node:crypto';
import type { TokenizedPreference } from '@metaapo/core/contracts';
import { readPreferences, tokenizePreferences } from '@metaapo/data';
import { loadScorer, loadTokenizer } from '@metaapo/models';

/** One training, as both sides are asked for it. */
export interface Workload {
  /** Directory of the language model. */
  readonly model: string;
  readonly train: string;
  readonly eval: string;
  /** First training rows only. */
  readonly maxRows: number | undefined;
  readonly maxLength: number;
  readonly batchSize: number;
  readonly learningRate: number;
  readonly seed: number;
}

/** What is no option of the bench; `metaapo train-reward` has the same numbers by default. */
export const FIXED = { adamBetas: [0.9, 0.95], adamEpsilon: 1e-8, maxGradNorm: 1, warmupRatio: 0.03 } as const;

/** Accuracy and mean loss of held-out pairs. */
export interface Evaluation {
  readonly accuracy: number;
  readonly loss: number;
}

/** What one side's training came to. */
export interface Outcome {
  readonly before: Evaluation;
  readonly after: Evaluation;
  /** Mean loss of each batch. */
  readonly losses: readonly number[];
  /** Seconds of all optimizer steps. */
  readonly trainSeconds: number;
  /** Seconds of the whole process. */
  readonly wholeSeconds: number;
}

/** Rows of a file as the training sees them. */
export async function tokenize(
  { model, maxLength }: Pick<Workload, 'model' | 'maxLength'>,
  file: string,
): Promise<readonly TokenizedPreference[]> {
  const tokenizer = await loadTokenizer(model);
  return (await tokenizePreferences(readPreferences([file]), tokenizer, { maxLength, longPrompt: 'drop' })).rows;
}

/** A key of the token ids of all conversations, as the peer computes it. */
export function digestOf(rows: readonly TokenizedPreference[]): string {
  const hash = createHash('sha256');
  for (const { prompt, chosen, rejected } of rows) {
    for (const response of [chosen, rejected]) {
      const ids = Int32Array.of(prompt.length + response.length, ...prompt, ...response);
      hash.update(new Uint8Array(ids.buffer));
    }
  }
  return hash.digest('hex');
}

/** Writes the model with the head that a training of this seed begins with. */
export async function writeStart({ model, seed }: Workload, directory: string): Promise<void> {
  const start = await loadScorer(model, { newHead: { seed } });
  await start.save(directory);
  start.dispose();
}
