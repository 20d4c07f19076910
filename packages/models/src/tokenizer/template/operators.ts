import { percentFormat } from './format-text.js';
import { TemplateRefusal, TemplateUnsupported } from './template-errors.js';
import { Float, numberOf, Tuple, typeName, Undefined, type Value } from './values.js';

/** Most characters that one value may have: far beyond any prompt. */
export const LONGEST_TEXT = 1 << 26;

type Operator = (left: Value, right: Value) => Value;

/** Python's binary operators on numbers, texts, lists and tuples. */
export const OPERATORS: Readonly<Record<string, Operator>> = {
  '+': add,
  '-': (left, right) => numeric('-', left, right, (first, second) => first - second),
  '*': multiply,
  '/': (left, right) => new Float(divided(left, right, '/', (first, second) => first / second)),
  '//': (left, right) => {
    const quotient = divided(left, right, '//', (first, second) => Math.floor(first / second));
    return isFloat(left, right) ? new Float(quotient) : quotient;
  },
  '%': (left, right) => (typeof left === 'string' ? percentFormat(left, right) : remainder(left, right)),
  '**': power,
};

/** Minus a number. */
export function negative(value: Value): Value {
  return numeric('-', 0, value, (_, second) => -second);
}

const isFloat = (...values: Value[]): boolean => values.some((value) => value instanceof Float);

function add(left: Value, right: Value): Value {
  if (typeof left === 'string' && typeof right === 'string') return left + right;
  if (Array.isArray(left) && Array.isArray(right)) return [...left, ...right];
  if (left instanceof Tuple && right instanceof Tuple) return new Tuple([...left.items, ...right.items]);
  return numeric('+', left, right, (first, second) => first + second);
}

function multiply(left: Value, right: Value): Value {
  if (isRepeatable(right)) return repeated(right, left);
  if (isRepeatable(left)) return repeated(left, right);
  return numeric('*', left, right, (first, second) => first * second);
}

type Repeatable = string | Value[] | Tuple;

const isRepeatable = (value: Value): value is Repeatable =>
  typeof value === 'string' || Array.isArray(value) || value instanceof Tuple;

function repeated(value: Repeatable, count: Value): Value {
  const times = count instanceof Float ? undefined : numberOf(count);
  if (times === undefined) throw operandError('*', value, count);
  if (value instanceof Tuple) return new Tuple(repeated([...value.items], times) as Value[]);
  if (value.length * times > LONGEST_TEXT) throw new TemplateRefusal('it repeats a value beyond any length');
  if (typeof value === 'string') return value.repeat(Math.max(0, times));
  return Array.from({ length: Math.max(0, times) }, () => value).flat(1) as Value[];
}

function power(left: Value, right: Value): Value {
  const [first, second] = operands('**', left, right);
  if (isFloat(left, right) || first === 0) throw new TemplateUnsupported('powers of floats and of zero');
  if (second < 0) return new Float(1 / first ** -second);
  return numeric('**', left, right, (base, exponent) => base ** exponent);
}

/** The remainder has the sign of the divisor. */
function remainder(left: Value, right: Value): Value {
  const result = divided(left, right, '%', (first, second) => first - second * Math.floor(first / second));
  return isFloat(left, right) ? new Float(result) : result;
}

function divided(left: Value, right: Value, sign: string, compute: (first: number, second: number) => number): number {
  const [first, second] = operands(sign, left, right);
  if (second === 0) throw new TemplateRefusal('division by zero');
  return compute(first, second);
}

function numeric(sign: string, left: Value, right: Value, compute: (first: number, second: number) => number): Value {
  const result = compute(...operands(sign, left, right));
  if (isFloat(left, right)) return new Float(result);
  if (Number.isSafeInteger(result) || !Number.isInteger(result)) return result;
  throw new TemplateRefusal('an integer beyond 2^53');
}

function operands(sign: string, left: Value, right: Value): [number, number] {
  const [first, second] = [numberOf(left), numberOf(right)];
  if (first === undefined || second === undefined) throw operandError(sign, left, right);
  return [first, second];
}

function operandError(sign: string, left: Value, right: Value): Error {
  for (const value of [left, right]) if (value instanceof Undefined) return new TemplateRefusal(value.reason);
  return new TemplateRefusal(`unsupported operand type(s) for ${sign}: '${typeName(left)}' and '${typeName(right)}'`);
}
