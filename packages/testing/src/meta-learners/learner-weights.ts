import type { MetaLearner, MetaLearnerState } from '@metaapo/core/contracts';
import { ConformanceError } from '../conformance-error.js';
import { firstDifference, inOrder } from '../same-values.js';
import { stateDifference } from './learner-state.js';
import { copyOf, featuresOf, learnerName, mixedBuffer, SCORES, SEED } from './meta-rows.js';

const EXTREMES = Float32Array.of(-1e4, -1e3, -100, -10, -1, -0.1, -1e-3, -1e-6, 0);

/**
 * Passes when weights are one finite number in [0, 1] for each row, for scores from -1e4 to 0, before and after updates;
 * when each row's weight goes by the row alone; and when reading weights changes nothing.
 * @throws ConformanceError that names the row
 */
export async function checkMetaLearnerWeights(learner: MetaLearner): Promise<void> {
  const first = learner.initialState(SEED);
  const states = [first, learner.update(first, mixedBuffer()).state];
  for (const state of states) {
    checkRange(learner, state, EXTREMES);
    checkRange(learner, state, new Float32Array(0));
    checkRows(learner, state);
    checkUnchanged(learner, state);
  }
}

function checkRange(learner: MetaLearner, state: MetaLearnerState, scores: Float32Array): void {
  const weights = learner.weights(state, featuresOf(scores));
  const name = learnerName(learner);
  if (!(weights instanceof Float32Array)) throw new ConformanceError(name, 'weights is no Float32Array');
  if (weights.length !== scores.length) {
    throw new ConformanceError(name, `it gives ${weights.length} weights for ${scores.length} rows`);
  }
  const bad = weights.findIndex((weight) => !(weight >= 0 && weight <= 1));
  if (bad < 0) return;
  const at = `logSigmoidScore ${scores[bad]}`;
  throw new ConformanceError(name, `the weight at ${at} is ${weights[bad]}, expected a number from 0 to 1`);
}

function checkRows(learner: MetaLearner, state: MetaLearnerState): void {
  const rows = featuresOf(SCORES);
  const weights = learner.weights(state, rows);
  const order = [...SCORES.keys()].reverse();
  const reversed = learner.weights(state, {
    ...rows,
    logSigmoidScore: SCORES.toReversed(),
    chosenTokens: rows.chosenTokens!.toReversed(),
    rejectedTokens: rows.rejectedTokens!.toReversed(),
    chosenEntropy: rows.chosenEntropy!.toReversed(),
    rejectedEntropy: rows.rejectedEntropy!.toReversed(),
  });
  if (firstDifference(reversed, inOrder(weights, order)) === undefined) return;
  throw new ConformanceError(learnerName(learner), 'the weight of a row depends on the order of the rows');
}

function checkUnchanged(learner: MetaLearner, state: MetaLearnerState): void {
  const kept = copyOf(state);
  const scores = SCORES.slice();
  learner.weights(state, featuresOf(scores));
  const changed = stateDifference(state, kept);
  if (changed !== undefined)
    throw new ConformanceError(learnerName(learner), `weights changes ${changed} of the state`);
  if (firstDifference(scores, SCORES) !== undefined) {
    throw new ConformanceError(learnerName(learner), 'weights changes its features');
  }
}

/**
 * Passes when a meta-learner that does not declare `readsEntropy` gives the same weights without entropies: a run gives
 * them to the others alone.
 * @throws ConformanceError when it needs them, or weighs by them
 */
export async function checkMetaLearnerEntropy(learner: MetaLearner): Promise<void> {
  if (learner.readsEntropy === true) return;
  const rows = featuresOf(SCORES);
  const { chosenEntropy: _, rejectedEntropy: __, ...without } = rows;
  const state = learner.initialState(SEED);
  const undeclared = (cause?: unknown): ConformanceError =>
    new ConformanceError(learnerName(learner), 'it reads entropies, but does not declare readsEntropy', cause);
  let weights: Float32Array;
  try {
    weights = learner.weights(state, without);
  } catch (error) {
    throw undeclared(error);
  }
  if (firstDifference(weights, learner.weights(state, rows)) !== undefined) throw undeclared();
}
