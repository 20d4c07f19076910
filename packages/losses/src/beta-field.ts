import type { OptionField } from './option-fields.js';
import { numberField } from './option-fields.js';

/** The field of a loss's `beta`, the scale between log-ratios and rewards; each loss states its own default and range. */
export function betaField(field: {
  readonly default: number;
  readonly usual: readonly [number, number];
  readonly defaultFrom: string;
  readonly effect?: string;
}): OptionField<number> {
  return numberField({
    default: field.default,
    bounds: { above: 0 },
    usual: field.usual,
    effect: field.effect ?? 'Larger holds the policy closer to the reference; smaller lets it move further.',
    defaultFrom: field.defaultFrom,
  });
}

/** The field of `labelSmoothing`: the probability that a label is the wrong way round, below one half. */
export function labelSmoothingField(field: {
  readonly default: number;
  readonly defaultFrom: string;
  readonly effect?: string;
}): OptionField<number> {
  return numberField({
    default: field.default,
    bounds: { atLeast: 0, below: 0.5 },
    usual: [0, 0.3],
    effect: field.effect ?? 'Larger trusts the labels less and keeps margins small.',
    defaultFrom: field.defaultFrom,
  });
}
