import type { LossState, PreferenceLoss } from '@metaapo/core/contracts';
import { ConformanceError } from '../conformance-error.js';
import { firstDifference } from '../same-values.js';
import { lossName, lossValues, OUTPUTS } from './evaluate-loss.js';
import { fivePairs, type PairArrays, swapped } from './pair-arrays.js';

/**
 * Passes when a loss that remembers something keeps it in finite numbers by name, moves on by a pure function of state
 * and batch, and begins as if nothing had been seen. A loss without memory passes.
 * @throws ConformanceError that says what is wrong with the state
 */
export async function checkLossState(loss: PreferenceLoss): Promise<void> {
  const { initialState, nextState } = loss;
  if ((initialState === undefined) !== (nextState === undefined)) {
    const [there, missing] = initialState === undefined ? ['nextState', 'initialState'] : ['initialState', 'nextState'];
    throw new ConformanceError(lossName(loss), `it has ${there} and no ${missing}`);
  }
  if (initialState === undefined) return;
  checkNumbers(loss, 'initialState', initialState);
  const pairs = fivePairs(loss);
  const first = stepped(loss, initialState, pairs);
  const second = stepped(loss, first, swapped(pairs));
  await checkBeginning(loss, pairs, initialState);
  for (const state of [first, second]) await checkFinite(loss, pairs, state);
}

function checkNumbers(loss: PreferenceLoss, what: string, state: LossState): void {
  const wrong = Object.entries(state).find(([, value]) => typeof value !== 'number' || !Number.isFinite(value));
  if (wrong === undefined) return;
  throw new ConformanceError(lossName(loss), `${what}: ${wrong[0]} is ${String(wrong[1])}, no finite number`);
}

/** The next state, once it is known to be finite, repeatable, of the same names, and to leave its arguments alone. */
function stepped(loss: PreferenceLoss, state: LossState, pairs: PairArrays): LossState {
  const [given, batch] = structuredClone([state, pairs]);
  const [next, again] = [loss.nextState!(given, batch), loss.nextState!(given, batch)];
  checkNumbers(loss, 'nextState', next);
  if (JSON.stringify(given) !== JSON.stringify(state)) {
    throw new ConformanceError(lossName(loss), 'nextState changes the state that it is given');
  }
  if (JSON.stringify(next) !== JSON.stringify(again)) {
    const values = `${JSON.stringify(next)}, then ${JSON.stringify(again)}`;
    throw new ConformanceError(lossName(loss), `nextState gives another state the second time: ${values}`);
  }
  const names = (of: LossState): string => Object.keys(of).sort().join(', ');
  if (names(next) !== names(state)) {
    throw new ConformanceError(lossName(loss), `nextState holds ${names(next)} where the state held ${names(state)}`);
  }
  for (const [name, values] of Object.entries(pairs) as [keyof PairArrays, Float32Array][]) {
    if (firstDifference(batch[name], values) === undefined) continue;
    throw new ConformanceError(lossName(loss), `nextState changes its input ${name}`);
  }
  return next;
}

async function checkBeginning(loss: PreferenceLoss, pairs: PairArrays, state: LossState): Promise<void> {
  const without = await lossValues(loss, pairs);
  const begun = await lossValues(loss, pairs, { state });
  for (const name of OUTPUTS) {
    if (firstDifference(begun[name], without[name]) === undefined) continue;
    throw new ConformanceError(lossName(loss), `${name} without a state is not that of initialState`);
  }
}

async function checkFinite(loss: PreferenceLoss, pairs: PairArrays, state: LossState): Promise<void> {
  const values = await lossValues(loss, pairs, { state: Object.freeze({ ...state }) });
  for (const name of OUTPUTS) {
    const bad = values[name].findIndex((value) => !Number.isFinite(value));
    if (bad < 0) continue;
    const of = JSON.stringify(state);
    throw new ConformanceError(lossName(loss), `${name} of pair ${bad} is ${values[name][bad]} with the state ${of}`);
  }
}
