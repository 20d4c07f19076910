import type { Tracker } from '@metaapo/core/contracts';
import { checkOptions } from '../check-options.js';
import type { CreatePart, TestRunner } from '../test-runner.js';
import { declareChecks } from '../test-runner.js';
import type { TrackerFlags } from './tracker-flags.js';
import {
  checkTrackerEvents,
  checkTrackerManyMetrics,
  checkTrackerNonFinite,
  checkTrackerNothingLogged,
  checkTrackerSteps,
} from './tracker-log.js';

/**
 * Declares the tests that every tracker passes. Every tracker that is made is closed once.
 *
 *     describeTracker({ describe, it }, () => tensorboard({ directory }));
 */
export function describeTracker(test: TestRunner, create: CreatePart<Tracker>, flags: TrackerFlags = {}): void {
  declareChecks(test, 'tracker', create, flags, {
    'has a kebab-case id and frozen, serialisable options': async (tracker) => {
      await checkOptions('tracker', tracker, flags);
      await tracker.close();
    },
    'takes step after step, and closes': checkTrackerSteps,
    'takes many metrics at once': checkTrackerManyMetrics,
    'takes NaN and infinities': checkTrackerNonFinite,
    'takes every event of a run that it hears': checkTrackerEvents,
    'closes when nothing was logged': checkTrackerNothingLogged,
  });
}
