import type { PreferenceLoss } from '@metaapo/core/contracts';
import { checkOptions } from '../check-options.js';
import type { CreatePart, TestRunner } from '../test-runner.js';
import { declareChecks } from '../test-runner.js';
import { checkLossDeclarations } from './loss-declarations.js';
import { checkLossDirection, checkLossRewards } from './loss-direction.js';
import type { LossFlags } from './loss-flags.js';
import { checkLossGradients, checkLossRewardsDetached } from './loss-gradients.js';
import { checkLossLeaks, checkLossPurity } from './loss-purity.js';
import { checkLossReads } from './loss-reads.js';
import { checkLossReference, checkLossShift } from './loss-reference.js';
import { checkLossState } from './loss-state.js';
import { checkLossCoupling, checkLossPermutation, checkLossSwap } from './loss-symmetry.js';
import { checkLossTokens } from './loss-tokens.js';
import { checkLossFinite, checkLossShapes } from './loss-values.js';

/**
 * Declares the tests that every preference loss passes, on the backend of TensorFlow.js that is active.
 *
 *     describeLoss({ describe, it }, () => dpo({ beta: 0.1 }));
 */
export function describeLoss(test: TestRunner, create: CreatePart<PreferenceLoss>, flags: LossFlags = {}): void {
  declareChecks(test, 'preference loss', create, flags, {
    'has a kebab-case id and frozen, serialisable options': (loss) => checkOptions('loss', loss, flags),
    'declares what the contract knows': checkLossDeclarations,
    'gives four tensors [B] float32': checkLossShapes,
    'is finite, with its gradient, for extreme margins and log-probabilities near 0': checkLossFinite,
    'has the gradient that finite differences have': flags.detachesTerms ? undefined : checkLossGradients,
    'prefers the chosen response': checkLossDirection,
    'detaches the implicit rewards': checkLossRewardsDetached,
    'rewards each response by its own log-probability': checkLossRewards,
    'reverses the score when chosen and rejected are swapped':
      flags.isAntisymmetric === false ? undefined : checkLossSwap,
    'permutes with its pairs': checkLossPermutation,
    'looks at each pair alone unless it declares couplesPairs': checkLossCoupling,
    'reads the reference exactly when it declares to': checkLossReference,
    'compares policy and reference by their ratio': flags.isShiftInvariant === false ? undefined : checkLossShift,
    'refuses to go without numbers of tokens that it needs': checkLossTokens,
    'remembers in finite numbers, by a pure function': checkLossState,
    'reads no numbers while it computes': checkLossReads,
    'is pure': checkLossPurity,
    'leaks no tensor, also when it throws': checkLossLeaks,
  });
}
