import type { PairRule } from '@metaapo/core/contracts';
import { checkOptions } from '../check-options.js';
import type { CreatePart, TestRunner } from '../test-runner.js';
import { declareChecks } from '../test-runner.js';
import {
  checkPairMembers,
  checkPairOffline,
  checkPairOrder,
  checkPairPurity,
  checkPairReasons,
  checkPairRewards,
} from './pair-outcomes.js';
import type { PairRuleFlags } from './pair-rule-flags.js';

/**
 * Declares the tests that every pair rule passes.
 *
 *     describePairRule({ describe, it }, () => bestWorst());
 */
export function describePairRule(test: TestRunner, create: CreatePart<PairRule>, flags: PairRuleFlags = {}): void {
  declareChecks(test, 'pair rule', create, flags, {
    'has a kebab-case id and frozen, serialisable options': (rule) => checkOptions('pair rule', rule, flags),
    'takes two different ones of the responses it is given': checkPairMembers,
    'makes no pair of too few responses, equal rewards or equal texts': checkPairReasons,
    'prefers the response of higher reward': flags.followsRewards === false ? undefined : checkPairRewards,
    'takes the same two whatever their order': checkPairOrder,
    'is pure': checkPairPurity,
    'reads the offline response where it declares to, and only there': checkPairOffline,
  });
}
