import { isSequence } from './attributes.js';
import { compare, holds, isEqual, itemsOf } from './comparisons.js';
import { OPERATORS } from './operators.js';
import type { RenderTools } from './render-tools.js';
import { TemplateRefusal } from './template-errors.js';
import { TEXT_METHODS } from './text-methods.js';
import { Callable, Float, isTrue, Lazy, textOf, Undefined, type Value } from './values.js';

/** A test of jinja2: a value, its arguments, the answer. */
export type Test = (value: Value, given: readonly Value[], tools: RenderTools) => boolean;

const NONE = { positional: [], named: new Map<string, Value>() };
const isCase = (name: 'islower' | 'isupper') => (value: Value) => TEXT_METHODS[name]!(textOf(value), NONE) === true;
const first = (given: readonly Value[]): Value => {
  if (given.length === 1) return given[0]!;
  throw new TemplateRefusal(`a test takes one argument, not ${given.length}`);
};
const divides = (value: Value, by: Value): boolean => isEqual(OPERATORS['%']!(value, by), 0);
const equal: Test = (value, given) => isEqual(value, first(given));
const ordered =
  (isRight: (order: number) => boolean): Test =>
  (value, given) =>
    isRight(compare(value, first(given)));
const greater = ordered((order) => order > 0);
const less = ordered((order) => order < 0);
const differs: Test = (value, given) => !isEqual(value, first(given));

/** The tests of jinja2, but those that look at objects of Python. */
export const TESTS: Readonly<Record<string, Test>> = {
  defined: (value) => !(value instanceof Undefined),
  undefined: (value) => value instanceof Undefined,
  none: (value) => value === null,
  boolean: (value) => typeof value === 'boolean',
  true: (value) => value === true,
  false: (value) => value === false,
  integer: (value) => typeof value === 'number',
  float: (value) => value instanceof Float,
  number: (value) => typeof value === 'number' || typeof value === 'boolean' || value instanceof Float,
  string: (value) => typeof value === 'string',
  mapping: (value) => value instanceof Map,
  sequence: isSequence,
  iterable: isIterable,
  callable: (value) => value instanceof Callable || value instanceof Undefined,
  sameas: (value, given) => value === first(given),
  lower: isCase('islower'),
  upper: isCase('isupper'),
  odd: (value) => isEqual(OPERATORS['%']!(value, 2), 1),
  even: (value) => divides(value, 2),
  divisibleby: (value, given) => divides(value, first(given)),
  in: (value, given) => holds(first(given), value),
  filter: (value, _, tools) => tools.isFilter(textOf(value)),
  test: (value, _, tools) => tools.isTest(textOf(value)),
  '==': equal,
  eq: equal,
  equalto: equal,
  '!=': differs,
  ne: differs,
  '>': greater,
  gt: greater,
  greaterthan: greater,
  '<': less,
  lt: less,
  lessthan: less,
  '>=': ordered((order) => order >= 0),
  ge: ordered((order) => order >= 0),
  '<=': ordered((order) => order <= 0),
  le: ordered((order) => order <= 0),
};

function isIterable(value: Value): boolean {
  if (value instanceof Lazy || value instanceof Undefined) return true;
  try {
    itemsOf(value);
    return true;
  } catch {
    return false;
  }
}

/** Whether a value passes a test of the given name, or is true where there is none. */
export function passes(value: Value, [name, ...given]: readonly Value[], tools: RenderTools): boolean {
  return name === undefined
    ? isTrue(value)
    : isTrue(tools.callTest(textOf(name), value, { positional: given, named: new Map() }));
}
