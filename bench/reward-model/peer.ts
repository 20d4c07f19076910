import { learningRateAt, planBatches, type Schedule } from '@metaapo/core';
import type { TokenizedPreference } from '@metaapo/core/contracts';
import { bradleyTerry } from '@metaapo/losses';
import { runSide } from '../run-side.js';
import { digestOf, FIXED, type Outcome, type Workload } from './workload.js';

/** What the peer needs beside the workload. */
export interface PeerOptions {
  readonly python: string;
  /** Directory of the model that the other side's training begins with, head included. */
  readonly start: string;
  /** Pairs computed at a time. */
  readonly microPairs: number;
  readonly trainRows: readonly TokenizedPreference[];
  readonly heldRows: readonly TokenizedPreference[];
}

/** Trains with PyTorch: the same start, batches and learning rates; the data is read and tokenised there. */
export function trainPeer(workload: Workload, { python, start, microPairs, ...rows }: PeerOptions): Outcome {
  const request = {
    ...workload,
    ...FIXED,
    ...stepsOf(workload, rows.trainRows.length),
    start,
    microPairs,
    rows: rows.trainRows.length,
    centerPenalty: bradleyTerry().options.centerPenalty,
    digests: { train: digestOf(rows.trainRows), eval: digestOf(rows.heldRows) },
  };
  const started = performance.now();
  const report = runSide<Omit<Outcome, 'wholeSeconds'>>(python, 'peers/torch_reward_model.py', request);
  return { ...report, wholeSeconds: (performance.now() - started) / 1000 };
}

/** Rows and learning rate of every step. */
function stepsOf(
  { batchSize, seed, learningRate }: Workload,
  rowCount: number,
): { readonly batches: readonly (readonly number[])[]; readonly learningRates: readonly number[] } {
  const plan = planBatches({ rowCount, batchSize, epochs: 1, shuffle: true, seed });
  const { totalSteps } = plan;
  const warmupSteps = Math.ceil(FIXED.warmupRatio * totalSteps);
  const schedule: Schedule = { kind: 'linear', peak: learningRate, warmupSteps, totalSteps, minRatio: 0 };
  const steps = Array.from({ length: totalSteps }, (_, step) => step);
  return {
    batches: steps.map((step) => [...plan.rowsAt(step)]),
    learningRates: steps.map((step) => learningRateAt(schedule, step)),
  };
}
