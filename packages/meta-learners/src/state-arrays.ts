import type { MetaLearnerState, StateArray } from '@metaapo/core/contracts';
import { MetaapoError } from '@metaapo/core/contracts';

/**
 * Values of a named array of a state; borrowed.
 * @throws MetaapoError with code `checkpoint` when the array is missing, has another shape or holds a value that is not finite
 */
export function requireArray(
  learner: string,
  state: MetaLearnerState,
  name: string,
  shape: readonly number[],
): Float32Array {
  const array = Object.hasOwn(state, name) ? state[name] : undefined;
  if (array === undefined) {
    throw fault(learner, `the state lacks ${name}`, `${name} ${shapeText(shape)}`, listed(state));
  }
  const size = shape.reduce((product, length) => product * length, 1);
  if (shapeText(array.shape) !== shapeText(shape) || array.values.length !== size) {
    const got = `${shapeText(array.shape)} with ${array.values.length} values`;
    throw fault(learner, `${name} has the wrong shape`, shapeText(shape), got);
  }
  const bad = array.values.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0)
    throw fault(learner, `${name} holds no finite number at ${bad}`, 'finite values', `${array.values[bad]}`);
  return array.values;
}

/** @throws MetaapoError with code `checkpoint` when the state holds an array that is none of `names`. */
export function refuseOtherArrays(learner: string, state: MetaLearnerState, names: readonly string[]): void {
  const other = Object.keys(state).find((name) => !names.includes(name));
  if (other === undefined) return;
  const known = names.length === 0 ? 'no arrays' : names.join(', ');
  throw fault(learner, `the state holds ${other}, which is none of its arrays`, known, other);
}

/** An array of a state with one value. */
export function scalarArray(value: number): StateArray {
  return { shape: [1], values: Float32Array.of(value) };
}

/** A one-dimensional array of a state that owns `values`. */
export function vectorArray(values: Float32Array): StateArray {
  return { shape: [values.length], values };
}

function fault(learner: string, summary: string, expected: string, got: string): MetaapoError {
  return new MetaapoError('checkpoint', summary, {
    where: `state of meta-learner ${learner}`,
    expected,
    got,
    remedy: 'Give the state that this meta-learner saved, or set its options to those that the state was made with',
  });
}

function listed(state: MetaLearnerState): string {
  return Object.keys(state).join(', ') || 'an empty state';
}

function shapeText(shape: readonly number[]): string {
  return `[${shape.join(', ')}]`;
}
