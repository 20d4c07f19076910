import type { MetaBuffer, MetaLearner, MetaLearnerState } from '@metaapo/core/contracts';
import { definePart, META_LEARNER, MetaapoError, parseOptions } from '@metaapo/core/contracts';
import { z } from 'zod';
import { checkBuffer, checkFeatures, lowerLossOutcomes, metaObjective } from './meta-objective.js';
import { fitAt, monotoneFit } from './monotone-fit.js';
import { refuseOtherArrays, requireArray, scalarArray, vectorArray } from './state-arrays.js';

const schema = z.strictObject({
  capacity: z
    .int()
    .min(1)
    .max(1_000_000)
    .default(2048)
    .describe('Rows remembered; the oldest are forgotten first. Fewer follow the policy faster.'),
  priorRows: z
    .number()
    .min(0)
    .max(1e9)
    .default(16)
    .describe('Rows that the prior of 0.5 counts for. Larger moves away from it more slowly.'),
  direction: z
    .enum(['rising', 'falling'])
    .default('rising')
    .describe('Direction of the weight as x grows: rising trusts pairs that fit the policy.'),
});

/** Options of {@link isotonic}. */
export type IsotonicOptions = z.input<typeof schema>;

type IsotonicSettings = Readonly<z.output<typeof schema>>;

/** Remembered rows from the oldest to the newest. */
interface History {
  readonly scores: Float32Array;
  readonly outcomes: Float32Array;
}

/**
 * A monotone curve over x = logsigmoid(s): how often the offline pair has the lower loss, fitted to the rows remembered.
 *
 * With y = 1 where L_off < L_on, 0 where L_off > L_on, and 0.5 where they are equal, g is the monotone function that is
 * nearest to the n remembered points (x, y) by least squares (pool-adjacent-violators), and
 *
 *     w = (n g(x) + priorRows / 2) / (n + priorRows)
 *
 * which keeps w inside (0, 1) while little is known. Before the first update w = 0.5.
 *
 * State: `history/scores [capacity]` and `history/outcomes [capacity]`, oldest first and zeros after the rows held, and
 * `history/rows [1]`, how many are held.
 * @throws MetaapoError with code `config` for an option that is unknown or out of bounds
 */
export function isotonic(options: IsotonicOptions = {}): MetaLearner {
  const settings = parseOptions('meta-learner isotonic', schema, options);
  const nothing: History = { scores: new Float32Array(0), outcomes: new Float32Array(0) };
  const learner: MetaLearner = {
    id: 'isotonic',
    options: settings,
    initialState: () => writeHistory(nothing, settings.capacity),
    weights: (state, features) => {
      checkFeatures('isotonic', features);
      return weightsAt(settings, readHistory(state, settings.capacity), features.logSigmoidScore);
    },
    update: (state, buffer) => {
      checkBuffer('isotonic', buffer);
      const history = readHistory(state, settings.capacity);
      const loss = metaObjective(weightsAt(settings, history, buffer.logSigmoidScore), buffer);
      return { state: writeHistory(remembered(history, buffer, settings.capacity), settings.capacity), loss };
    },
  };
  return Object.freeze(learner);
}

function weightsAt(settings: IsotonicSettings, history: History, scores: Float32Array): Float32Array {
  const rows = history.scores.length;
  if (rows === 0) return new Float32Array(scores.length).fill(0.5);
  const sign = settings.direction === 'rising' ? 1 : -1;
  const fit = monotoneFit(
    history.scores.map((x) => sign * x),
    history.outcomes,
  );
  const { priorRows } = settings;
  return scores.map((x) => (rows * fitAt(fit, sign * x)! + priorRows / 2) / (rows + priorRows));
}

function remembered(history: History, buffer: MetaBuffer, capacity: number): History {
  const newest = (old: Float32Array, added: Float32Array): Float32Array =>
    Float32Array.from([...old, ...added].slice(-capacity));
  return {
    scores: newest(history.scores, buffer.logSigmoidScore),
    outcomes: newest(history.outcomes, lowerLossOutcomes(buffer)),
  };
}

function readHistory(state: MetaLearnerState, capacity: number): History {
  refuseOtherArrays('isotonic', state, ['history/scores', 'history/outcomes', 'history/rows']);
  const rows = requireArray('isotonic', state, 'history/rows', [1])[0]!;
  if (!Number.isInteger(rows) || rows < 0 || rows > capacity) {
    throw new MetaapoError('checkpoint', 'history/rows is no number of rows', {
      where: 'state of meta-learner isotonic',
      expected: `a whole number from 0 to ${capacity}`,
      got: String(rows),
    });
  }
  return {
    scores: requireArray('isotonic', state, 'history/scores', [capacity]).subarray(0, rows),
    outcomes: requireArray('isotonic', state, 'history/outcomes', [capacity]).subarray(0, rows),
  };
}

function writeHistory({ scores, outcomes }: History, capacity: number): MetaLearnerState {
  const filled = (values: Float32Array): Float32Array => {
    const all = new Float32Array(capacity);
    all.set(values);
    return all;
  };
  return {
    'history/scores': vectorArray(filled(scores)),
    'history/outcomes': vectorArray(filled(outcomes)),
    'history/rows': scalarArray(scores.length),
  };
}

/** {@link isotonic} as a part. */
export const isotonicPart = definePart({
  slot: META_LEARNER,
  id: 'isotonic',
  summary: 'A monotone curve fitted to remembered rows by pool-adjacent-violators.',
  options: schema,
  create: isotonic,
});
