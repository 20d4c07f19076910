import type { MetaFeatures } from '@metaapo/core/contracts';
import { MetaapoError } from '@metaapo/core/contracts';

/** What an mlp can look at. `score` is one column, `lengths` two (chosen, rejected), `iteration` one. */
export const FEATURES = ['score', 'lengths', 'iteration'] as const;

/** Name of a feature. */
export type FeatureName = (typeof FEATURES)[number];

/** Number of input columns F of a list of features. */
export function columnCount(names: readonly FeatureName[]): number {
  return names.reduce((count, name) => count + (name === 'lengths' ? 2 : 1), 0);
}

/**
 * Input `[B, F]` of a network, float32, row-major: logsigmoid(s); ln(1 + tokens) / 8 of chosen and of rejected, about
 * 0 to 1 up to 4096 tokens; ln(1 + iteration), iteration counted from 0.
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
  const { logSigmoidScore, chosenTokens, rejectedTokens, iteration } = features;
  switch (name) {
    case 'score':
      return [(row) => logSigmoidScore[row]!];
    case 'lengths':
      return [
        lengthColumn(learner, 'chosenTokens', chosenTokens, logSigmoidScore.length),
        lengthColumn(learner, 'rejectedTokens', rejectedTokens, logSigmoidScore.length),
      ];
    case 'iteration': {
      if (iteration === undefined) throw unknownFeature(learner, name, 'the number of the iteration', 'none');
      const value = Math.log1p(iteration);
      return [() => value];
    }
  }
}

function lengthColumn(learner: string, name: string, tokens: Int32Array | undefined, rows: number): Column {
  if (tokens?.length !== rows) {
    throw unknownFeature(learner, 'lengths', `${name} of ${rows} rows`, `${tokens?.length ?? 'none'}`);
  }
  return (row) => Math.log1p(tokens[row]!) / 8;
}

function unknownFeature(learner: string, name: string, expected: string, got: string): MetaapoError {
  return new MetaapoError('config', `the feature ${name} is not known here`, {
    where: `meta-learner ${learner} features`,
    expected,
    got,
    remedy: `Take ${name} out of the option features`,
  });
}
