import type { PreferenceLoss } from '@metaapo/core/contracts';
import { checkOptions } from '../check-options.js';
import type { CreatePart, TestRunner } from '../test-runner.js';
import { declareChecks } from '../test-runner.js';
import type { LossFlags } from './loss-flags.js';
import { checkLossGradients, checkLossRewardsDetached } from './loss-gradients.js';
import { checkLossLeaks, checkLossPurity } from './loss-purity.js';
import { checkLossReference } from './loss-reference.js';
import { checkLossCoupling, checkLossPermutation, checkLossSwap } from './loss-symmetry.js';
import { checkLossFinite, checkLossShapes } from './loss-values.js';

/**
 * Declares the tests that every preference loss passes, on the backend of TensorFlow.js that is active.
 *
 *     describeLoss({ describe, it }, () => dpo({ beta: 0.1 }));
 */
export function describeLoss(test: TestRunner, create: CreatePart<PreferenceLoss>, flags: LossFlags = {}): void {
  declareChecks(test, 'preference loss', create, flags, {
    'has a kebab-case id and frozen, serialisable options': (loss) => checkOptions('loss', loss, flags),
    'gives four tensors [B] float32': checkLossShapes,
    'is finite, with its gradient, for extreme margins': checkLossFinite,
    'has the gradient that finite differences have': flags.detachesTerms ? undefined : checkLossGradients,
    'detaches the implicit rewards': checkLossRewardsDetached,
    'reverses the score when chosen and rejected are swapped':
      flags.isAntisymmetric === false ? undefined : checkLossSwap,
    'permutes with its pairs': checkLossPermutation,
    'looks at each pair alone unless it declares couplesPairs': checkLossCoupling,
    'reads the reference exactly when it declares to': checkLossReference,
    'is pure': checkLossPurity,
    'leaks no tensor, also when it throws': checkLossLeaks,
  });
}
