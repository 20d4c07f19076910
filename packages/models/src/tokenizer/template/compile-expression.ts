import { attributeOf, itemOf, sliceOf, UNSUPPORTED_METHODS } from './attributes.js';
import { compare, holds, isEqual, itemsOf } from './comparisons.js';
import { knownFilter, knownTest, toolsOf } from './named-calls.js';
import { negative, OPERATORS } from './operators.js';
import type { Scope } from './scope.js';
import type { ArgumentNodes, Expression, FilterNode } from './syntax-tree.js';
import { TemplateRefusal, TemplateUnsupported } from './template-errors.js';
import {
  type Arguments,
  Callable,
  isTrue,
  numberOf,
  Tuple,
  textOf,
  typeName,
  Undefined,
  type Value,
} from './values.js';

/** What gives the value of an expression in a scope. */
export type Evaluate = (scope: Scope) => Value;

/**
 * An expression as a function.
 * @throws TemplateSyntaxError or TemplateUnsupported
 */
export function compileExpression(node: Expression): Evaluate {
  switch (node.type) {
    case 'constant':
      return () => node.value;
    case 'name':
      if (node.name === 'self') throw new TemplateUnsupported('the name self');
      return (scope) => scope.get(node.name);
    case 'list':
      return listOf(node.items);
    case 'tuple': {
      const items = listOf(node.items);
      return (scope) => new Tuple(items(scope));
    }
    case 'concatenation': {
      const items = listOf(node.items);
      return (scope) => items(scope).map(textOf).join('');
    }
    case 'dict':
      return compileDict(node.pairs);
    case 'attribute': {
      const object = compileExpression(node.object);
      return (scope) => attributeOf(object(scope), node.name);
    }
    case 'item': {
      const [object, key] = [compileExpression(node.object), compileExpression(node.key)];
      return (scope) => itemOf(object(scope), key(scope));
    }
    case 'slice': {
      const object = compileExpression(node.object);
      const bounds = node.bounds.map((bound) => (bound ? compileExpression(bound) : () => null));
      return (scope) =>
        sliceOf(
          object(scope),
          bounds.map((bound) => bound(scope)),
        );
    }
    case 'call':
      return compileCall(node.callee, node.given);
    case 'filter':
      return compileFilter(node);
    case 'test':
      return compileTest(node);
    default:
      return compileOperation(node);
  }
}

type Operation = Extract<
  Expression,
  { type: 'not' | 'negative' | 'positive' | 'and' | 'or' | 'binary' | 'comparison' | 'conditional' }
>;

function compileOperation(node: Operation): Evaluate {
  switch (node.type) {
    case 'comparison':
      return compileComparison(node);
    case 'conditional': {
      const [test, then] = [compileExpression(node.test), compileExpression(node.then)];
      const missing = new Undefined('the inline if-expression evaluated to false and no else section was defined.');
      const otherwise = node.otherwise ? compileExpression(node.otherwise) : () => missing;
      return (scope) => (isTrue(test(scope)) ? then(scope) : otherwise(scope));
    }
    case 'not':
    case 'negative':
    case 'positive':
      return compileUnary(node.type, compileExpression(node.operand));
    default: {
      const [left, right] = [compileExpression(node.left), compileExpression(node.right)];
      if (node.type === 'binary') {
        const operator = OPERATORS[node.sign]!;
        return (scope) => operator(left(scope), right(scope));
      }
      const stopsAt = node.type === 'or';
      return (scope) => {
        const first = left(scope);
        return isTrue(first) === stopsAt ? first : right(scope);
      };
    }
  }
}

function compileUnary(type: 'not' | 'negative' | 'positive', operand: Evaluate): Evaluate {
  if (type === 'not') return (scope) => !isTrue(operand(scope));
  if (type === 'negative') return (scope) => negative(operand(scope));
  return (scope) => {
    const value = operand(scope);
    if (numberOf(value) === undefined) throw new TemplateRefusal(`bad operand type for unary +: '${typeName(value)}'`);
    return typeof value === 'boolean' ? Number(value) : value;
  };
}

const listOf = (nodes: readonly Expression[]): ((scope: Scope) => Value[]) => {
  const items = nodes.map(compileExpression);
  return (scope) => items.map((item) => item(scope));
};

function compileDict(pairs: readonly (readonly [Expression, Expression])[]): Evaluate {
  const compiled = pairs.map(([key, value]) => [compileExpression(key), compileExpression(value)] as const);
  return (scope) => new Map(compiled.map(([key, value]) => [keyOf(key(scope)), value(scope)]));
}

/** A key of a dict: Python takes 1, 1.0 and true for the same key. */
function keyOf(value: Value): Value {
  if (value === null || typeof value === 'string' || typeof value === 'number') return value;
  throw new TemplateUnsupported(`a key of type ${typeName(value)} in a dict`);
}

const COMPARISONS: Readonly<Record<string, (left: Value, right: Value) => boolean>> = {
  '==': isEqual,
  '!=': (left, right) => !isEqual(left, right),
  '<': (left, right) => compare(left, right) < 0,
  '<=': (left, right) => compare(left, right) <= 0,
  '>': (left, right) => compare(left, right) > 0,
  '>=': (left, right) => compare(left, right) >= 0,
  in: (left, right) => holds(right, left),
  'not in': (left, right) => !holds(right, left),
};

/** Comparisons in a chain: each neighbours' must hold, and none is computed beyond the first that does not. */
function compileComparison(node: Extract<Expression, { type: 'comparison' }>): Evaluate {
  const first = compileExpression(node.first);
  const rest = node.rest.map(([sign, operand]) => [COMPARISONS[sign]!, compileExpression(operand)] as const);
  return (scope) => {
    let left = first(scope);
    return rest.every(([isSo, operand]) => {
      const right = operand(scope);
      const result = isSo(left, right);
      left = right;
      return result;
    });
  };
}

/** Arguments of a call as a function. */
export function compileArguments(given: ArgumentNodes): (scope: Scope) => Arguments {
  const positional = given.positional.map(compileExpression);
  const named = given.named.map(([name, value]) => [name, compileExpression(value)] as const);
  const spread = given.spread && compileExpression(given.spread);
  const spreadNamed = given.spreadNamed && compileExpression(given.spreadNamed);
  return (scope) => {
    const rest = spread ? [...itemsOf(spread(scope))] : [];
    const others = spreadNamed?.(scope);
    if (others !== undefined && !(others instanceof Map))
      throw new TemplateRefusal('argument after ** must be a mapping');
    return {
      positional: [...positional.map((value) => value(scope)), ...rest],
      named: new Map([
        ...named.map(([name, value]) => [name, value(scope)] as const),
        ...[...(others ?? [])].map(([name, value]) => [textOf(name), value] as const),
      ]),
    };
  };
}

function compileCall(callee: Expression, given: ArgumentNodes): Evaluate {
  if (callee.type === 'attribute' && UNSUPPORTED_METHODS.has(callee.name)) {
    throw new TemplateUnsupported(`the method ${callee.name} of a text`);
  }
  const [called, argumentsOf] = [compileExpression(callee), compileArguments(given)];
  return (scope) => {
    scope.budget.step();
    const value = called(scope);
    if (value instanceof Callable) return value.call(argumentsOf(scope));
    if (value instanceof Undefined) return value.fail();
    throw new TemplateRefusal(`'${typeName(value)}' object is not callable`);
  };
}

/**
 * A filter with its input.
 * @param blockInput the text of a filtered block, where the innermost filter has no input of its own
 */
export function compileFilter(node: FilterNode, blockInput?: Evaluate): Evaluate {
  const filter = knownFilter(node.name);
  const inner = node.input?.type === 'filter' ? compileFilter(node.input, blockInput) : undefined;
  const input = inner ?? (node.input ? compileExpression(node.input) : blockInput!);
  const argumentsOf = compileArguments(node.given);
  return (scope) => {
    scope.budget.step();
    return filter(input(scope), argumentsOf(scope), toolsOf(scope.budget));
  };
}

function compileTest(node: Extract<Expression, { type: 'test' }>): Evaluate {
  const test = knownTest(node.name);
  const [input, argumentsOf] = [compileExpression(node.input), compileArguments(node.given)];
  return (scope) => {
    const { positional, named } = argumentsOf(scope);
    return test(input(scope), [...positional, ...named.values()], toolsOf(scope.budget));
  };
}
