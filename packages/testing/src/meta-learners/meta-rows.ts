import type { MetaBuffer, MetaFeatures, MetaLearner, MetaLearnerState, StateArray } from '@metaapo/core/contracts';

/** Seed of every state that the checks make. */
export const SEED = 17;

/** The meta-learner's name in messages. */
export function learnerName(learner: MetaLearner): string {
  return `meta-learner ${learner.id}`;
}

/** Rows with these scores and every feature that a run can know. */
export function featuresOf(logSigmoidScore: Float32Array): MetaFeatures {
  return {
    logSigmoidScore,
    chosenTokens: Int32Array.from(logSigmoidScore, (_, row) => 20 + 7 * row),
    rejectedTokens: Int32Array.from(logSigmoidScore, (_, row) => 90 - 5 * row),
    chosenEntropy: Float32Array.from(logSigmoidScore, (_, row) => 0.5 + row / 8),
    rejectedEntropy: Float32Array.from(logSigmoidScore, (_, row) => 3 - row / 4),
    iteration: 1,
  };
}

/** Rows with these differences of online from offline loss. */
export function bufferOf(logSigmoidScore: Float32Array, advantage: (row: number) => number): MetaBuffer {
  return {
    ...featuresOf(logSigmoidScore),
    offlineLoss: Float32Array.from(logSigmoidScore, (_, row) => 1 + advantage(row)),
    onlineLoss: Float32Array.from(logSigmoidScore, () => 1),
  };
}

/** Scores logsigmoid(s) of nine rows, from well fitted to hardly. */
export const SCORES = Float32Array.of(-0.1, -3, -0.7, -0.4, -1.5, -0.2, -5, -0.9, -2);

/** A buffer in which now the offline, now the online pair has the lower loss. */
export function mixedBuffer(): MetaBuffer {
  return bufferOf(SCORES, (row) => (row % 3) / 2 - 0.5);
}

/** A copy that shares no array. */
export function copyOf(state: MetaLearnerState): MetaLearnerState {
  const copy = ({ shape, values }: StateArray): StateArray => ({ shape: [...shape], values: values.slice() });
  return Object.fromEntries(Object.entries(state).map(([name, array]) => [name, copy(array)]));
}

/** The state as a store brings it back: written as JSON and read again. */
export function stored(state: MetaLearnerState): MetaLearnerState {
  const plain = Object.entries(state).map(([name, { shape, values }]) => [name, { shape, values: [...values] }]);
  const read = JSON.parse(JSON.stringify(Object.fromEntries(plain))) as Record<string, PlainArray>;
  return Object.fromEntries(
    Object.entries(read).map(([name, { shape, values }]) => [name, { shape, values: Float32Array.from(values) }]),
  );
}

interface PlainArray {
  readonly shape: number[];
  readonly values: number[];
}
