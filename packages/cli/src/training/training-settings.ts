import type { OptimizerSettings, Schedule, TrainingRecipe } from '@metaapo/core';

type TrainingSection = TrainingRecipe['training'];

/** The learning rate schedule of so many steps. */
export function scheduleOf(training: TrainingSection, totalSteps: number): Schedule {
  return {
    kind: training.schedule,
    peak: training.learningRate,
    warmupSteps: training.warmupSteps ?? Math.ceil(training.warmupRatio! * totalSteps),
    totalSteps,
    minRatio: training.minLrRatio ?? 0,
  };
}

/** AdamW's settings and the clipping of gradients. */
export function optimizerOf({ adamBetas, adamEpsilon, weightDecay, maxGradNorm }: TrainingSection): OptimizerSettings {
  const [beta1, beta2] = adamBetas;
  return { beta1, beta2, epsilon: adamEpsilon, weightDecay, ...(maxGradNorm === false ? {} : { maxGradNorm }) };
}
