import type { ArgumentNodes, CallNode, Expression, FilterNode } from './syntax-tree.js';
import type { TokenStream } from './token-stream.js';
import { Float, type Value } from './values.js';

const CONSTANTS: ReadonlyMap<string, Value> = new Map<string, Value>([
  ['true', true],
  ['True', true],
  ['false', false],
  ['False', false],
  ['none', null],
  ['None', null],
]);

/** An expression, in the order of precedence that jinja2 has. */
export function parseExpression(stream: TokenStream, withConditional = true): Expression {
  return withConditional ? parseConditional(stream) : parseOr(stream);
}

/**
 * An expression, or a tuple where commas follow.
 * @param isEnd whether the tuple ends before the current token
 */
export function parseTuple(
  stream: TokenStream,
  options: { readonly withConditional?: boolean; readonly isEnd?: () => boolean; readonly isExplicit?: boolean } = {},
): Expression {
  const items: Expression[] = [];
  const isEnd = (): boolean => stream.current.kind === 'end' || stream.isOperator(')') || options.isEnd?.() === true;
  let isTuple = false;
  for (;;) {
    if (items.length > 0) stream.expect('operator', ',');
    if (isEnd()) break;
    items.push(parseExpression(stream, options.withConditional));
    if (!stream.isOperator(',')) break;
    isTuple = true;
  }
  if (!isTuple && items.length > 0) return items[0]!;
  if (!isTuple && options.isExplicit !== true) throw stream.error('expected an expression');
  return { type: 'tuple', items };
}

function parseConditional(stream: TokenStream): Expression {
  let then = parseOr(stream);
  while (stream.skip('name', 'if')) {
    const test = parseOr(stream);
    const otherwise = stream.skip('name', 'else') ? parseConditional(stream) : undefined;
    then = { type: 'conditional', test, then, otherwise };
  }
  return then;
}

function parseOr(stream: TokenStream): Expression {
  let left = parseAnd(stream);
  while (stream.skip('name', 'or')) left = { type: 'or', left, right: parseAnd(stream) };
  return left;
}

function parseAnd(stream: TokenStream): Expression {
  let left = parseNot(stream);
  while (stream.skip('name', 'and')) left = { type: 'and', left, right: parseNot(stream) };
  return left;
}

function parseNot(stream: TokenStream): Expression {
  return stream.skip('name', 'not') ? { type: 'not', operand: parseNot(stream) } : parseComparison(stream);
}

function parseComparison(stream: TokenStream): Expression {
  const first = parseSum(stream);
  const rest: [string, Expression][] = [];
  for (;;) {
    if (stream.isOperator('==', '!=', '<', '<=', '>', '>=')) rest.push([stream.next().value, parseSum(stream)]);
    else if (stream.skip('name', 'in')) rest.push(['in', parseSum(stream)]);
    else if (stream.isName('not') && stream.following.kind === 'name' && stream.following.value === 'in') {
      stream.next();
      stream.next();
      rest.push(['not in', parseSum(stream)]);
    } else return rest.length === 0 ? first : { type: 'comparison', first, rest };
  }
}

function parseSum(stream: TokenStream): Expression {
  return leftToRight(stream, ['+', '-'], parseConcatenation);
}

function parseConcatenation(stream: TokenStream): Expression {
  const items = [parseProduct(stream)];
  while (stream.skip('operator', '~')) items.push(parseProduct(stream));
  return items.length === 1 ? items[0]! : { type: 'concatenation', items };
}

function parseProduct(stream: TokenStream): Expression {
  return leftToRight(stream, ['*', '/', '//', '%'], parsePower);
}

function parsePower(stream: TokenStream): Expression {
  return leftToRight(stream, ['**'], parseUnary);
}

function leftToRight(
  stream: TokenStream,
  signs: readonly string[],
  parse: (stream: TokenStream) => Expression,
): Expression {
  let left = parse(stream);
  while (stream.isOperator(...signs)) left = { type: 'binary', sign: stream.next().value, left, right: parse(stream) };
  return left;
}

function parseUnary(stream: TokenStream, withFilter = true): Expression {
  let node: Expression;
  if (stream.skip('operator', '-')) node = { type: 'negative', operand: parseUnary(stream, false) };
  else if (stream.skip('operator', '+')) node = { type: 'positive', operand: parseUnary(stream, false) };
  else node = parsePrimary(stream);
  node = parsePostfix(stream, node);
  return withFilter ? parseFiltersAndTests(stream, node) : node;
}

function parsePrimary(stream: TokenStream): Expression {
  const token = stream.next();
  switch (token.kind) {
    case 'name': {
      const constant = CONSTANTS.get(token.value);
      return constant === undefined ? { type: 'name', name: token.value } : { type: 'constant', value: constant };
    }
    case 'string': {
      let value = token.value;
      while (stream.current.kind === 'string') value += stream.next().value;
      return { type: 'constant', value };
    }
    case 'integer':
      return { type: 'constant', value: Number(token.value.replaceAll('_', '').toLowerCase()) };
    case 'float':
      return { type: 'constant', value: new Float(Number(token.value.replaceAll('_', ''))) };
    case 'operator':
      return parseBracketed(stream, token.value);
    default:
      throw stream.error(`unexpected '${token.value || token.kind}'`);
  }
}

function parseBracketed(stream: TokenStream, bracket: string): Expression {
  if (bracket === '(') {
    const inner = parseTuple(stream, { isExplicit: true });
    stream.expect('operator', ')');
    return inner;
  }
  if (bracket === '[') return { type: 'list', items: parseItems(stream, ']', () => parseExpression(stream)) };
  if (bracket !== '{') throw stream.error(`unexpected '${bracket}'`);
  const pairs = parseItems(stream, '}', (): readonly [Expression, Expression] => {
    const key = parseExpression(stream);
    stream.expect('operator', ':');
    return [key, parseExpression(stream)];
  });
  return { type: 'dict', pairs };
}

function parseItems<Item>(stream: TokenStream, end: string, parse: () => Item): Item[] {
  const items: Item[] = [];
  while (!stream.isOperator(end)) {
    if (items.length > 0) stream.expect('operator', ',');
    if (stream.isOperator(end)) break;
    items.push(parse());
  }
  stream.expect('operator', end);
  return items;
}

/** Attributes, items and calls behind an expression. */
export function parsePostfix(stream: TokenStream, start: Expression): Expression {
  let node = start;
  for (;;) {
    if (stream.skip('operator', '.')) node = parseAttribute(stream, node);
    else if (stream.skip('operator', '[')) node = parseSubscript(stream, node);
    else if (stream.isOperator('(')) node = parseCall(stream, node);
    else return node;
  }
}

function parseAttribute(stream: TokenStream, object: Expression): Expression {
  const token = stream.next();
  if (token.kind === 'name') return { type: 'attribute', object, name: token.value };
  if (token.kind === 'integer') return { type: 'item', object, key: { type: 'constant', value: Number(token.value) } };
  throw stream.error('expected name or number');
}

function parseSubscript(stream: TokenStream, object: Expression): Expression {
  const bounds: (Expression | undefined)[] = [];
  const isBoundEnd = (): boolean => stream.isOperator(':', ']');
  const first = isBoundEnd() ? undefined : parseExpression(stream);
  if (!stream.isOperator(':')) {
    stream.expect('operator', ']');
    if (first === undefined) throw stream.error('expected subscript expression');
    return { type: 'item', object, key: first };
  }
  bounds.push(first);
  while (stream.skip('operator', ':')) bounds.push(isBoundEnd() ? undefined : parseExpression(stream));
  if (bounds.length > 3) throw stream.error('a slice has at most three parts');
  stream.expect('operator', ']');
  return { type: 'slice', object, bounds: [bounds[0], bounds[1], bounds[2]] };
}

function parseCall(stream: TokenStream, callee: Expression): CallNode {
  return { type: 'call', callee, given: parseArguments(stream) };
}

function parseArguments(stream: TokenStream): ArgumentNodes {
  const positional: Expression[] = [];
  const named: [string, Expression][] = [];
  let [spread, spreadNamed]: (Expression | undefined)[] = [];
  stream.expect('operator', '(');
  while (!stream.isOperator(')')) {
    if (stream.skip('operator', '*')) spread = parseExpression(stream);
    else if (stream.skip('operator', '**')) spreadNamed = parseExpression(stream);
    else if (stream.current.kind === 'name' && stream.following.kind === 'operator' && stream.following.value === '=') {
      const { value: name } = stream.next();
      stream.next();
      named.push([name, parseExpression(stream)]);
    } else if (named.length > 0) throw stream.error('invalid syntax for function call expression');
    else positional.push(parseExpression(stream));
    if (!stream.isOperator(')')) stream.expect('operator', ',');
  }
  stream.expect('operator', ')');
  return { positional, named, spread, spreadNamed };
}

function parseFiltersAndTests(stream: TokenStream, start: Expression): Expression {
  let node = start;
  for (;;) {
    if (stream.skip('operator', '|')) node = parseFilter(stream, node);
    else if (stream.skip('name', 'is')) node = parseTest(stream, node);
    else if (stream.isOperator('(')) node = parseCall(stream, node);
    else return node;
  }
}

const NO_ARGUMENTS: ArgumentNodes = { positional: [], named: [] };

/** One filter, its bar already taken. */
export function parseFilter(stream: TokenStream, input: Expression | undefined): FilterNode {
  const name = parseDottedName(stream);
  return { type: 'filter', input, name, given: stream.isOperator('(') ? parseArguments(stream) : NO_ARGUMENTS };
}

function parseTest(stream: TokenStream, input: Expression): Expression {
  const isNegated = stream.skip('name', 'not');
  const name = parseDottedName(stream);
  const test: Expression = { type: 'test', input, name, given: parseTestArguments(stream) };
  return isNegated ? { type: 'not', operand: test } : test;
}

function parseTestArguments(stream: TokenStream): ArgumentNodes {
  if (stream.isOperator('(')) return parseArguments(stream);
  const { kind } = stream.current;
  const isValue = kind === 'name' || kind === 'string' || kind === 'integer' || kind === 'float';
  if (!(isValue || stream.isOperator('[', '{')) || stream.isName('else', 'or', 'and')) return NO_ARGUMENTS;
  if (stream.isName('is')) throw stream.error('You cannot chain multiple tests with is');
  return { positional: [parsePostfix(stream, parsePrimary(stream))], named: [] };
}

function parseDottedName(stream: TokenStream): string {
  let name = stream.expect('name').value;
  while (stream.skip('operator', '.')) name += `.${stream.expect('name').value}`;
  return name;
}
