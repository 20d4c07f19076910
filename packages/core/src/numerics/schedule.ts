/** Names of the learning rate schedules. */
export const SCHEDULES = ['cosine_with_min_lr', 'cosine', 'linear', 'constant'] as const;

/** A learning rate schedule with a linear warm-up. */
export interface Schedule {
  readonly kind: (typeof SCHEDULES)[number];
  /** Highest learning rate, reached at the end of the warm-up. */
  readonly peak: number;
  /** Number of warm-up steps; step 0 of a warm-up has learning rate 0. */
  readonly warmupSteps: number;
  /** Number of optimizer steps in all. */
  readonly totalSteps: number;
  /** Lowest learning rate as a share of the peak; read by `cosine_with_min_lr` alone. */
  readonly minRatio: number;
}

/** The learning rate of optimizer step k, counted from 0. */
export function learningRateAt(schedule: Schedule, step: number): number {
  const { kind, peak, warmupSteps, totalSteps, minRatio } = schedule;
  if (step < warmupSteps) return (peak * step) / warmupSteps;
  if (kind === 'constant') return peak;
  const progress = Math.min(1, (step - warmupSteps) / Math.max(1, totalSteps - warmupSteps));
  if (kind === 'linear') return peak * (1 - progress);
  const cosine = (1 + Math.cos(Math.PI * progress)) / 2;
  return peak * (kind === 'cosine' ? cosine : minRatio + (1 - minRatio) * cosine);
}
