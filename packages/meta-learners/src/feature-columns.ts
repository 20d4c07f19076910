import type { MetaFeatures } from '@metaapo/core/contracts';
import { MetaapoError } from '@metaapo/core/contracts';

/** What an mlp can look at. `score` is one column, `lengths` and `entropy` two (chosen, rejected), `iteration` one. */
export const FEATURES = ['score', 'lengths', 'entropy', 'iteration'] as const;

/** Name of a feature. */
export type FeatureName = (typeof FEATURES)[number];

/** Number of input columns F of a list of features. */
export function columnCount(names: readonly FeatureName[]): number {
  return names.reduce((count, name) => count + (name === 'lengths' || name === 'entropy' ? 2 : 1), 0);
}

/**
 * Input `[B, F]` of a network, float32, row-major: logsigmoid(s); ln(1 + tokens) / 8 of chosen and of rejected, about
 * 0 to 1 up to 4096 tokens; the mean entropies of both in nats a token; ln(1 + iteration), iteration counted from 0.
 * @throws MetaapoError with code `config` when the run does not know a feature that the options ask for
 */
export function featureColumns(learner: string, features: MetaFeatures, names: readonly FeatureName[]): Float32Array {
  const rows = features.logSigmoidScore.length;
  const columns = names.flatMap((name) => columnsOf(learner, features, name));
  const input = new Float32Array(rows * columns.length);
  columns.forEach((column, at) => {
    for (let row = 0; row < rows; row++) input[row * columns.length + at] = column(row);
  });
  return input;
}

type Column = (row: number) => number;

function columnsOf(learner: string, features: MetaFeatures, name: FeatureName): readonly Column[] {
  const { logSigmoidScore, chosenTokens, rejectedTokens, chosenEntropy, rejectedEntropy, iteration } = features;
  switch (name) {
    case 'score':
      return [(row) => logSigmoidScore[row]!];
    case 'lengths':
      return Object.entries({ chosenTokens, rejectedTokens }).map(([field, tokens]) => {
        const known = ofAllRows(learner, name, field, tokens, logSigmoidScore.length);
        return (row) => Math.log1p(known[row]!) / 8;
      });
    case 'entropy':
      return Object.entries({ chosenEntropy, rejectedEntropy }).map(([field, entropy]) => {
        const known = ofAllRows(learner, name, field, entropy, logSigmoidScore.length);
        return (row) => known[row]!;
      });
    case 'iteration': {
      if (iteration === undefined) throw unknownFeature(learner, name, 'the number of the iteration', 'none');
      const value = Math.log1p(iteration);
      return [() => value];
    }
  }
}

function ofAllRows<Values extends Float32Array | Int32Array>(
  learner: string,
  name: FeatureName,
  field: string,
  values: Values | undefined,
  rows: number,
): Values {
  if (values?.length === rows) return values;
  throw unknownFeature(learner, name, `${field} of ${rows} rows`, `${values?.length ?? 'none'}`);
}

function unknownFeature(learner: string, name: string, expected: string, got: string): MetaapoError {
  return new MetaapoError('config', `the feature ${name} is not known here`, {
    where: `meta-learner ${learner} features`,
    expected,
    got,
    remedy: `Take ${name} out of the option features`,
  });
}
