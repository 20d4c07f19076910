import { groupOf, type TrainingRecipe } from '@metaapo/core';
import { MetaapoError, type TokenizedPreference } from '@metaapo/core/contracts';

const isPaired = (row: TokenizedPreference): boolean => groupOf(row).responses.length === 4;

/**
 * The rows that a training uses: all of them, or with `unselected: drop` those that have an online pair.
 * @throws MetaapoError with code `data` when a meta-learner is to weigh pairs and no row has an online one
 */
export function rowsToTrain(
  { metaLearner, unselected }: Pick<TrainingRecipe, 'metaLearner' | 'unselected'>,
  rows: readonly TokenizedPreference[],
): readonly TokenizedPreference[] {
  if (metaLearner === undefined) return rows;
  const paired = rows.filter(isPaired);
  if (paired.length > 0) return unselected === 'drop' ? paired : rows;
  throw new MetaapoError('data', 'no row has an online pair, so metaLearner has nothing to weigh', {
    where: 'recipe metaLearner',
    expected: 'rows with online_chosen and online_rejected beside chosen and rejected',
    got: `${rows.length} rows of offline pairs alone`,
    remedy: 'Leave metaLearner out, or let `metaapo run` make the online pairs',
  });
}
