import type { ModelSource } from '@metaapo/core/contracts';
import { checkOptions } from '../check-options.js';
import { type CreatePart, declareChecks, type TestRunner } from '../test-runner.js';
import type { ModelFlags } from './model-flags.js';
import { checkModelGeneration, checkModelSeeds } from './model-generation.js';
import { checkModelDescription, checkModelPasses, checkModelReference, checkModelTokens } from './model-passes.js';
import { checkModelMoments, checkModelSaved, checkModelState } from './model-states.js';
import {
  checkModelAccumulation,
  checkModelClipping,
  checkModelGradients,
  checkModelNonFinite,
} from './model-updates.js';

/**
 * Declares the tests that every source of models passes.
 *
 *     describeModel({ describe, it }, () => localModel({ path: 'models/tiny' }, { report: () => undefined }));
 */
export function describeModel(test: TestRunner, create: CreatePart<ModelSource>, flags: ModelFlags = {}): void {
  const { followsOptimizer = true, clips = true, isSeeded = true } = flags;
  declareChecks(test, 'model', create, flags, {
    'has a kebab-case id and frozen, serialisable options': (source) => checkOptions('model', source, flags),
    'says without weights what it says with them': checkModelDescription,
    'gives the same log-probabilities in every pass': checkModelPasses,
    'gives log-probabilities of tokens and entropies where they are asked for': checkModelTokens,
    'opens its start as a reference': checkModelReference,
    'moves by the gradient that it is given': followsOptimizer ? checkModelGradients : undefined,
    'adds gradients up, and drops them': checkModelAccumulation,
    'clips gradients': followsOptimizer && clips ? checkModelClipping : undefined,
    'refuses a gradient that is not finite': checkModelNonFinite,
    'goes on from a saved state as if it had not stopped': checkModelState,
    'begins its optimizer anew, where it can': checkModelMoments,
    'opens what it saved': checkModelSaved,
    'generates what it says it generates': checkModelGeneration,
    'generates the same for the same seed': isSeeded ? checkModelSeeds : undefined,
  });
}
