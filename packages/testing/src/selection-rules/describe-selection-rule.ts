import type { SelectionRule } from '@metaapo/core/contracts';
import { checkOptions } from '../check-options.js';
import type { CreatePart, TestRunner } from '../test-runner.js';
import { declareChecks } from '../test-runner.js';
import {
  checkSelectionEmpty,
  checkSelectionIndices,
  checkSelectionLimit,
  checkSelectionOrder,
  checkSelectionPurity,
  checkSelectionWeights,
} from './rule-selection.js';
import type { SelectionRuleFlags } from './selection-rule-flags.js';

/**
 * Declares the tests that every selection rule passes.
 *
 *     describeSelectionRule({ describe, it }, () => threshold({ minWeight: 0.4 }));
 */
export function describeSelectionRule(
  test: TestRunner,
  create: CreatePart<SelectionRule>,
  flags: SelectionRuleFlags = {},
): void {
  declareChecks(test, 'selection rule', create, flags, {
    'has a kebab-case id and frozen, serialisable options': (rule) => checkOptions('selection rule', rule, flags),
    'selects ascending, unique indices of the candidates': checkSelectionIndices,
    'keeps to the limit, also to 0': checkSelectionLimit,
    'selects the same rows in whatever order they arrive': checkSelectionOrder,
    'is pure': checkSelectionPurity,
    'selects nothing of nothing': checkSelectionEmpty,
    'refuses weights that are NaN, or reads none': checkSelectionWeights,
  });
}
