/** Settings of {@link adamwStep}. */
export interface AdamwSettings {
  readonly learningRate: number;
  /** Share of the value that one step of learning rate 1 takes away; decoupled from the gradient. */
  readonly weightDecay: number;
  readonly betas: readonly [number, number];
}

/** A parameter with its moments; all of one length. */
export interface AdamwSlot {
  readonly value: Float32Array;
  readonly moment1: Float32Array;
  readonly moment2: Float32Array;
}

/** Keeps the division finite where no gradient has been seen. */
const EPSILON = 1e-8;

/**
 * The parameter and its moments after update number `step`, counted from 1; new arrays, the inputs are not written.
 *
 * Loshchilov and Hutter 2019, arXiv 1711.05101, algorithm 2, with the schedule inside the learning rate.
 */
export function adamwStep(slot: AdamwSlot, gradient: Float64Array, step: number, settings: AdamwSettings): AdamwSlot {
  const { learningRate, weightDecay, betas } = settings;
  const [beta1, beta2] = betas;
  const moment1 = slot.moment1.map((moment, at) => beta1 * moment + (1 - beta1) * gradient[at]!);
  const moment2 = slot.moment2.map((moment, at) => beta2 * moment + (1 - beta2) * gradient[at]! ** 2);
  const rate = learningRate / (1 - beta1 ** step);
  const correction = Math.sqrt(1 - beta2 ** step);
  const value = slot.value.map((old, at) => {
    const decayed = old * (1 - learningRate * weightDecay);
    return decayed - (rate * moment1[at]!) / (Math.sqrt(moment2[at]!) / correction + EPSILON);
  });
  return { value, moment1, moment2 };
}

/** Factor that brings the common norm of gradients to at most `maxNorm`; 1 when it is below. */
export function clipFactor(gradients: readonly Float64Array[], maxNorm: number): number {
  const norm = Math.sqrt(gradients.reduce((sum, gradient) => gradient.reduce((part, g) => part + g * g, sum), 0));
  return Math.min(1, maxNorm / (norm + 1e-6));
}
