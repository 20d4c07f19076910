import type { OptimizerStep, TrainedParameters } from '@metaapo/core/contracts';

/** The norm of the accumulated gradients: an update with learning rate 0, which leaves the weights, and no gradient. */
export async function gradientNormOf(
  model: TrainedParameters,
  optimizer: Omit<OptimizerStep, 'learningRate' | 'step'>,
): Promise<number> {
  return (await model.apply({ ...optimizer, learningRate: 0, step: 1 })).gradientNorm!;
}
