import type { AnnotationRule } from '@metaapo/core/contracts';
import { checkOptions } from '../check-options.js';
import type { CreatePart, TestRunner } from '../test-runner.js';
import { declareChecks } from '../test-runner.js';
import {
  checkAnnotationEnd,
  checkAnnotationLogprobs,
  checkAnnotationPurity,
  checkAnnotationRequests,
  checkAnnotationRewards,
  checkAnnotationRounds,
} from './annotation-rounds.js';
import type { AnnotationRuleFlags } from './annotation-rule-flags.js';

/**
 * Declares the tests that every annotation rule passes.
 *
 *     describeAnnotationRule({ describe, it }, () => adaptive({ spread: 1 }));
 */
export function describeAnnotationRule(
  test: TestRunner,
  create: CreatePart<AnnotationRule>,
  flags: AnnotationRuleFlags = {},
): void {
  declareChecks(test, 'annotation rule', create, flags, {
    'has a kebab-case id and frozen, serialisable options': (rule) => checkOptions('annotation rule', rule, flags),
    'asks for rewards that there are and that it does not know': checkAnnotationRequests,
    'ends with rewards of two responses that differ, and of the offline one': checkAnnotationEnd,
    'counts rewards that one scorer gave': checkAnnotationRewards,
    'is pure': checkAnnotationPurity,
    'declares to score in rounds where it does': checkAnnotationRounds,
    'declares to read log-probabilities where it does': checkAnnotationLogprobs,
  });
}
