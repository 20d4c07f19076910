import type { Objective, ObjectiveState, StateArray } from '@metaapo/core/contracts';
import { ConformanceError } from '../conformance-error.js';
import { firstDifference } from '../same-values.js';
import { kitPasses } from './kit-passes.js';
import { kitRows } from './kit-rows.js';
import { BATCH, objectiveName, SEED } from './objective-batch.js';

/** A second batch, after the first. */
const SECOND = Int32Array.of(5, 3, 1);

/**
 * Passes when the first state is numbers and whole float32 arrays, the same for the same seed, and new at each call.
 * @throws ConformanceError that names the number or array
 */
export async function checkObjectiveInitialState(objective: Objective): Promise<void> {
  const name = objectiveName(objective);
  const state = objective.initialState(SEED);
  checkState(objective, state, 'before any step');
  const kept = JSON.stringify(state);
  if (JSON.stringify(objective.initialState(SEED)) !== kept) {
    throw new ConformanceError(name, 'initialState gives another state for the same seed');
  }
  for (const { values } of Object.values(state.arrays)) values.fill(7);
  if (JSON.stringify(objective.initialState(SEED)) !== kept) {
    throw new ConformanceError(name, 'initialState gives out the same array twice');
  }
}

/**
 * Passes when a training that goes on from a stored state, in an objective that was opened anew, does what the straight
 * one does: nothing is remembered outside of the state.
 * @param create makes the objective anew, as another process would
 * @throws ConformanceError that says what is lost
 */
export async function checkObjectiveResumed(
  objective: Objective,
  create: () => Objective | Promise<Objective>,
): Promise<void> {
  const name = objectiveName(objective);
  const straight = await twoBatches(objective);
  checkState(objective, straight.between, 'after a step');
  const fresh = await create();
  const kit = kitPasses();
  const opened = fresh.open({ ...kitRows(fresh), passes: kit.passes });
  const outcome = await opened.accumulate(SECOND, stored(straight.between), 'step 2');
  const resumed = { metrics: outcome.metrics, gradients: [...kit.gradients], after: outcome.afterStep?.(2) };
  for (const part of ['metrics', 'gradients', 'after'] as const) {
    if (JSON.stringify(resumed[part]) === JSON.stringify(straight[part])) continue;
    throw new ConformanceError(
      name,
      `after its state is stored a step gives other ${part === 'after' ? 'states' : part}`,
    );
  }
}

async function twoBatches(objective: Objective) {
  const rows = kitRows(objective);
  const kit = kitPasses();
  const opened = objective.open({ ...rows, passes: kit.passes });
  const state = objective.initialState(SEED);
  const first = await opened.accumulate(BATCH, state, 'step 1');
  const between = first.afterStep?.(1).state ?? state;
  kit.gradients.clear();
  const second = await opened.accumulate(SECOND, between, 'step 2');
  return { between, metrics: second.metrics, gradients: [...kit.gradients], after: second.afterStep?.(2) };
}

function checkState(objective: Objective, { numbers, arrays }: ObjectiveState, when: string): void {
  const fault = (text: string): ConformanceError =>
    new ConformanceError(objectiveName(objective), `${text} of the state ${when}`);
  for (const [key, value] of Object.entries(numbers)) {
    if (typeof value !== 'number') throw fault(`${key} is no number`);
  }
  for (const [key, { shape, values }] of Object.entries(arrays)) {
    if (!(values instanceof Float32Array)) throw fault(`${key} is no Float32Array`);
    const size = shape.reduce((product, length) => product * length, 1);
    if (size !== values.length) throw fault(`${key} has ${values.length} values for the shape [${shape.join(', ')}]`);
    const read = Float32Array.from([...values]);
    if (firstDifference(read, values) !== undefined) throw fault(`${key} cannot be stored`);
  }
}

/** The state as a checkpoint brings it back: numbers to the bit, arrays as new ones. */
function stored({ numbers, arrays }: ObjectiveState): ObjectiveState {
  const copy = ({ shape, values }: StateArray): StateArray => ({
    shape: [...shape],
    values: Float32Array.from([...values]),
  });
  return {
    numbers: { ...numbers },
    arrays: Object.fromEntries(Object.entries(arrays).map(([name, array]) => [name, copy(array)])),
  };
}
