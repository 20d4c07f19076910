import type { OptionField } from './option-fields.js';
import { numberField } from './option-fields.js';

/** The field of `nllWeight`: how much the likelihood of the chosen response counts beside the preference. */
export function nllWeightField(field: {
  readonly default: number;
  readonly usual: readonly [number, number];
  readonly defaultFrom: string;
}): OptionField<number> {
  return numberField({
    ...field,
    bounds: { atLeast: 0 },
    effect: 'Larger keeps the likelihood of the chosen response up, as supervised fine-tuning would.',
  });
}
