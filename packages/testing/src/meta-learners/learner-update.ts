import type { MetaBuffer, MetaLearner } from '@metaapo/core/contracts';
import { ConformanceError } from '../conformance-error.js';
import { refusal } from '../refusal.js';
import { firstDifference } from '../same-values.js';
import { checkStateArrays, stateDifference } from './learner-state.js';
import { bufferOf, copyOf, featuresOf, learnerName, mixedBuffer, SCORES, SEED } from './meta-rows.js';

/**
 * Passes when an update leaves state and buffer as they were, gives the same bits again, and stays finite.
 * @throws ConformanceError that names the array
 */
export async function checkMetaLearnerUpdate(learner: MetaLearner): Promise<void> {
  const name = learnerName(learner);
  const state = learner.initialState(SEED);
  const kept = copyOf(state);
  const buffer = mixedBuffer();
  const update = learner.update(state, buffer);
  const changed = stateDifference(state, kept);
  if (changed !== undefined) throw new ConformanceError(name, `update changes ${changed} of the state it was given`);
  checkBufferKept(learner, buffer);
  checkStateArrays(learner, update.state, 'after an update');
  const again = learner.update(kept, mixedBuffer());
  const other = stateDifference(again.state, update.state);
  if (other !== undefined) throw new ConformanceError(name, `the same update gives another ${other} the second time`);
  if (!Object.is(again.loss, update.loss)) {
    throw new ConformanceError(name, 'the same update gives another loss the second time');
  }
}

function checkBufferKept(learner: MetaLearner, buffer: MetaBuffer): void {
  const kept = mixedBuffer();
  for (const key of ['logSigmoidScore', 'offlineLoss', 'onlineLoss'] as const) {
    if (firstDifference(buffer[key], kept[key]) === undefined) continue;
    throw new ConformanceError(learnerName(learner), `update changes ${key} of the buffer`);
  }
}

/**
 * Passes when the loss of an update is mean(w * offlineLoss + (1 - w) * onlineLoss) with the weights before it.
 * @throws ConformanceError with both values
 */
export async function checkMetaLearnerLoss(learner: MetaLearner): Promise<void> {
  const buffer = mixedBuffer();
  const { state } = learner.update(learner.initialState(SEED), buffer);
  const { loss } = learner.update(state, buffer);
  const { offlineLoss, onlineLoss } = buffer;
  const weights = learner.weights(state, buffer);
  const terms = Array.from(weights, (w, row) => w * offlineLoss[row]! + (1 - w) * onlineLoss[row]!);
  const expected = terms.reduce((sum, term) => sum + term, 0) / terms.length;
  // Room for a mean in float32.
  if (Math.abs(loss - expected) <= 1e-5 * (1 + Math.abs(expected))) return;
  const words = `expected mean(w * offlineLoss + (1 - w) * onlineLoss) before it, ${expected}`;
  throw new ConformanceError(learnerName(learner), `update reports the loss ${loss}, ${words}`);
}

/**
 * Passes when an empty buffer changes no weight or is refused by a MetaapoError, and a loss that is not finite is
 * refused by one with code `numerics`.
 * @throws ConformanceError that says what happened instead
 */
export async function checkMetaLearnerBuffers(learner: MetaLearner): Promise<void> {
  await checkEmptyBuffer(learner);
  for (const key of ['offlineLoss', 'onlineLoss'] as const) {
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY]) await checkBadLoss(learner, key, value);
  }
}

async function checkEmptyBuffer(learner: MetaLearner): Promise<void> {
  const name = learnerName(learner);
  const state = learner.initialState(SEED);
  const empty = bufferOf(new Float32Array(0), () => 0);
  await refusal(name, 'given an empty buffer', () => {
    const update = learner.update(state, empty);
    checkStateArrays(learner, update.state, 'after an empty buffer');
    const rows = featuresOf(SCORES);
    const moved = firstDifference(learner.weights(update.state, rows), learner.weights(state, rows));
    if (moved !== undefined) throw new ConformanceError(name, 'an empty buffer changes its weights');
  });
}

async function checkBadLoss(learner: MetaLearner, key: 'offlineLoss' | 'onlineLoss', value: number): Promise<void> {
  const name = learnerName(learner);
  const buffer = mixedBuffer();
  const broken = { ...buffer, [key]: buffer[key].with(2, value) };
  const error = await refusal(name, `given ${key} ${value}`, () => learner.update(learner.initialState(SEED), broken));
  if (error === undefined)
    throw new ConformanceError(name, `update accepts ${key} ${value}; refuse it with a MetaapoError`);
  if (error.code === 'numerics') return;
  throw new ConformanceError(name, `it refuses ${key} ${value} with code ${error.code}, expected numerics`);
}

/**
 * Passes when updates move weights down where online losses are lower, up where offline losses are lower.
 * @throws ConformanceError with the weights
 */
export async function checkMetaLearnerDirection(learner: MetaLearner): Promise<void> {
  checkMove(learner, 'lower', -1);
  checkMove(learner, 'higher', 1);
}

function checkMove(learner: MetaLearner, online: 'lower' | 'higher', sign: 1 | -1): void {
  const rows = featuresOf(SCORES);
  const buffer = bufferOf(SCORES, () => -0.5 * sign);
  let state = learner.initialState(SEED);
  const before = mean(learner.weights(state, rows));
  for (let update = 0; update < 20; update++) state = learner.update(state, buffer).state;
  const after = mean(learner.weights(state, rows));
  const isAtBound = sign > 0 ? before > 1 - 1e-6 : before < 1e-6;
  if (sign * (after - before) > 0 || isAtBound) return;
  const way = sign > 0 ? 'up' : 'down';
  throw new ConformanceError(
    learnerName(learner),
    `updates do not move weights ${way} where online losses are ${online}: mean weight ${before}, then ${after}`,
  );
}

function mean(values: Float32Array): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
