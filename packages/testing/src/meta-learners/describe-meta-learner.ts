import type { MetaLearner } from '@metaapo/core/contracts';
import { checkOptions } from '../check-options.js';
import type { CreatePart, TestRunner } from '../test-runner.js';
import { declareChecks } from '../test-runner.js';
import { checkMetaLearnerForeignState, checkMetaLearnerInitialState, checkMetaLearnerStored } from './learner-state.js';
import {
  checkMetaLearnerBuffers,
  checkMetaLearnerDirection,
  checkMetaLearnerLoss,
  checkMetaLearnerUpdate,
} from './learner-update.js';
import { checkMetaLearnerEntropy, checkMetaLearnerWeights } from './learner-weights.js';
import type { MetaLearnerFlags } from './meta-learner-flags.js';

/**
 * Declares the tests that every meta-learner passes.
 *
 *     describeMetaLearner({ describe, it }, () => mlp());
 */
export function describeMetaLearner(
  test: TestRunner,
  create: CreatePart<MetaLearner>,
  flags: MetaLearnerFlags = {},
): void {
  declareChecks(test, 'meta-learner', create, flags, {
    'has a kebab-case id and frozen, serialisable options': (learner) => checkOptions('meta-learner', learner, flags),
    'starts from the same state for the same seed': checkMetaLearnerInitialState,
    'gives weights in [0, 1] for scores from -1e4 to 0, row by row': checkMetaLearnerWeights,
    'reads entropies only where it says so': checkMetaLearnerEntropy,
    'updates without changing what it was given, the same way each time': checkMetaLearnerUpdate,
    'reports the objective before the update': checkMetaLearnerLoss,
    'keeps all that it remembers in its state': checkMetaLearnerStored,
    'refuses the state of another meta-learner': checkMetaLearnerForeignState,
    'handles or refuses an empty buffer, and refuses losses that are not finite': checkMetaLearnerBuffers,
    'lowers weights where online losses are lower, raises them where they are higher':
      flags.learns === false ? undefined : checkMetaLearnerDirection,
  });
}
