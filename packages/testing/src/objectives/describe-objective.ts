import type { Objective } from '@metaapo/core/contracts';
import { checkOptions } from '../check-options.js';
import { type CreatePart, declareChecks, type TestRunner } from '../test-runner.js';
import {
  checkObjectiveDeclarations,
  checkObjectiveEvaluation,
  checkObjectiveFinite,
  checkObjectiveGradient,
  checkObjectiveOutcome,
  checkObjectivePieces,
  checkObjectivePurity,
  checkObjectiveReference,
} from './objective-batch.js';
import type { ObjectiveFlags } from './objective-flags.js';
import { checkObjectiveInitialState, checkObjectiveResumed } from './objective-state.js';

/**
 * Declares the tests that every objective passes, over rows of the kit in its form and a policy that is a table.
 *
 *     describeObjective({ describe, it }, () => kto({ beta: 0.2 }));
 */
export function describeObjective(test: TestRunner, create: CreatePart<Objective>, flags: ObjectiveFlags = {}): void {
  declareChecks(test, 'objective', create, flags, {
    'has a kebab-case id and frozen, serialisable options': (objective) => checkOptions('objective', objective, flags),
    'declares what it trains, and computes something of every row': checkObjectiveDeclarations,
    'starts from the same state for the same seed': checkObjectiveInitialState,
    'names its rows, counts its tokens and gives finite metrics': checkObjectiveOutcome,
    'has the gradient of its loss': flags.hasWholeGradient === false ? undefined : checkObjectiveGradient,
    'gives the same numbers however a batch is cut and ordered': checkObjectivePieces,
    'changes nothing that it was given': checkObjectivePurity,
    'keeps all that it remembers in its state': (objective) => checkObjectiveResumed(objective, create),
    'refuses log-probabilities that are no numbers': checkObjectiveFinite,
    'refuses rows without the reference that it reads': checkObjectiveReference,
    'evaluates without gradient, and only where there are held-out rows': checkObjectiveEvaluation,
  });
}
