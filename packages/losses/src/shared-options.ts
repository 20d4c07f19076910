import { z } from 'zod';

/** What a loss states of an option that several losses have. */
interface OwnWords {
  readonly default: number;
  /** Usual values; outside them the loss carries a warning. */
  readonly usual?: readonly [low: number, high: number];
  /** Where the default comes from: the method's paper, or a convention where the paper names none. */
  readonly defaultFrom: string;
  /** Which way the option pushes, where it differs from loss to loss. */
  readonly description?: string;
}

/**
 * A loss's `beta`, the scale between log-ratios and rewards; each loss states its own default and range. The bounds keep
 * 1 / beta and what it is multiplied with inside float32.
 */
export function betaOption({ default: value, ...words }: OwnWords) {
  const description = 'Larger holds the policy closer to the reference; smaller lets it move further.';
  return weight(1e-6)
    .default(value)
    .meta({ description, ...words });
}

/** A loss's `labelSmoothing`: the probability that a label is the wrong way round, below one half. */
export function labelSmoothingOption({ default: value, ...words }: OwnWords) {
  const description = 'Probability that a label is wrong. Larger trusts the labels less and keeps margins small.';
  return z
    .number()
    .min(0)
    .lt(0.5)
    .default(value)
    .meta({ description, usual: [0, 0.3], ...words });
}

/** A loss's `nllWeight`: how much the likelihood of the chosen response counts beside the preference. */
export function nllWeightOption({ default: value, ...words }: OwnWords) {
  const description = 'Larger keeps the likelihood of the chosen response up, as supervised fine-tuning would.';
  return weight(0)
    .default(value)
    .meta({ description, ...words });
}

/** A factor of something in a loss, at most 1000. */
export const weight = (least: number) => z.number().min(least).max(1000);
