import type { MetaLearner, MetaLearnerState } from '@metaapo/core/contracts';
import { ConformanceError } from '../conformance-error.js';
import { refusal } from '../refusal.js';
import { firstDifference } from '../same-values.js';
import { copyOf, featuresOf, learnerName, mixedBuffer, SCORES, SEED, stored } from './meta-rows.js';

/** Name of the first array in which two states differ by a bit; `undefined` when they do not. */
export function stateDifference(a: MetaLearnerState, b: MetaLearnerState): string | undefined {
  const names = new Set([...Object.keys(a), ...Object.keys(b)]);
  return [...names].find((name) => {
    const [left, right] = [a[name], b[name]];
    if (left === undefined || right === undefined || left.shape.join() !== right.shape.join()) return true;
    return firstDifference(left.values, right.values) !== undefined;
  });
}

/** @throws ConformanceError when an array is no Float32Array, does not fill its shape, or is not finite. */
export function checkStateArrays(learner: MetaLearner, state: MetaLearnerState, when: string): void {
  for (const [name, { shape, values }] of Object.entries(state)) {
    const fault = (text: string): ConformanceError =>
      new ConformanceError(learnerName(learner), `${name} of the state ${when} ${text}`);
    if (!(values instanceof Float32Array)) throw fault('is no Float32Array');
    const size = shape.reduce((product, length) => product * length, 1);
    if (size !== values.length) throw fault(`has ${values.length} values for the shape [${shape.join(', ')}]`);
    const bad = values.findIndex((value) => !Number.isFinite(value));
    if (bad >= 0) throw fault(`holds ${values[bad]}, which is not finite`);
  }
}

/**
 * Passes when `initialState` gives whole, finite arrays, the same for the same seed, and new ones at each call.
 * @throws ConformanceError that names the array
 */
export async function checkMetaLearnerInitialState(learner: MetaLearner): Promise<void> {
  const state = learner.initialState(SEED);
  checkStateArrays(learner, state, 'before any update');
  const kept = copyOf(state);
  const other = stateDifference(learner.initialState(SEED), kept);
  if (other !== undefined) {
    throw new ConformanceError(learnerName(learner), `initialState gives another ${other} for the same seed`);
  }
  for (const { values } of Object.values(state)) values.fill(7);
  const shared = stateDifference(learner.initialState(SEED), kept);
  if (shared !== undefined) {
    throw new ConformanceError(learnerName(learner), `initialState gives out the same array ${shared} twice`);
  }
}

/**
 * Passes when a state that was written as JSON and read again gives the same weights and the same next update, so that
 * nothing is remembered outside of it.
 * @throws ConformanceError that names what is lost
 */
export async function checkMetaLearnerStored(learner: MetaLearner): Promise<void> {
  const name = learnerName(learner);
  const buffer = mixedBuffer();
  const { state } = learner.update(learner.initialState(SEED), buffer);
  const restored = stored(state);
  const straight = learner.update(copyOf(state), buffer).state;
  const resumed = learner.update(restored, buffer).state;
  const lost = stateDifference(resumed, straight);
  if (lost !== undefined) throw new ConformanceError(name, `after its state is stored an update gives another ${lost}`);
  const rows = featuresOf(SCORES);
  if (firstDifference(learner.weights(stored(state), rows), learner.weights(state, rows)) !== undefined) {
    throw new ConformanceError(name, 'after its state is stored it gives other weights');
  }
}

/**
 * Passes when a state of another meta-learner is refused by a MetaapoError with code `checkpoint`.
 * @throws ConformanceError that says what happened instead
 */
export async function checkMetaLearnerForeignState(learner: MetaLearner): Promise<void> {
  const foreign = { 'conformance/foreign': { shape: [3], values: Float32Array.of(1, 2, 3) } };
  const name = learnerName(learner);
  const error = await refusal(name, 'given a state of another meta-learner', () =>
    learner.weights(foreign, featuresOf(SCORES)),
  );
  if (error === undefined) throw new ConformanceError(name, 'it accepts a state of another meta-learner');
  if (error.code !== 'checkpoint') {
    throw new ConformanceError(name, `it refuses a foreign state with code ${error.code}, expected checkpoint`);
  }
}
