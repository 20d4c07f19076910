import { parseExpression, parseFilter, parseTuple } from './parse-expression.js';
import { readTokens } from './read-tokens.js';
import type { Body, Expression, FilterNode, ParameterNodes, Statement, Target } from './syntax-tree.js';
import { TemplateSyntaxError, TemplateUnsupported } from './template-errors.js';
import { TokenStream } from './token-stream.js';

/** Tags of jinja2 that have no place in a template that stands alone. */
/** Tags of jinja2 that are not rendered here. */
export const UNSUPPORTED_TAGS = ['include', 'import', 'from', 'extends', 'block', 'autoescape'];

/**
 * The statements of a template.
 * @throws TemplateSyntaxError or TemplateUnsupported
 */
export function parseTemplate(template: string): Body {
  const stream = new TokenStream(readTokens(template));
  const body = parseBody(stream, []);
  stream.expect('eof');
  return body;
}

/** Statements up to one of the tags, whose begin is taken and whose word is the current token. */
function parseBody(stream: TokenStream, ends: readonly string[]): Body {
  const body: Statement[] = [];
  for (;;) {
    const token = stream.current;
    if (token.kind === 'eof') {
      if (ends.length > 0) throw stream.error(`the end is missing: ${ends.join(' or ')}`);
      return body;
    }
    stream.next();
    if (token.kind === 'data') body.push({ type: 'text', text: token.value });
    else if (token.value === '{{') {
      body.push({ type: 'output', expression: parseTuple(stream) });
      stream.expect('end', '}}');
    } else {
      if (stream.isName(...ends)) return body;
      body.push(...parseStatement(stream));
      stream.expect('end', '%}');
    }
  }
}

function parseStatement(stream: TokenStream): readonly Statement[] {
  const { value: tag } = stream.expect('name');
  const parse = TAGS[tag];
  if (parse !== undefined) return [parse(stream)].flat();
  if (UNSUPPORTED_TAGS.includes(tag)) throw new TemplateUnsupported(`the tag ${tag}`);
  throw new TemplateSyntaxError(`unknown tag '${tag}' (line ${stream.current.line})`);
}

const TAGS: Readonly<Record<string, (stream: TokenStream) => Statement | readonly Statement[]>> = {
  if: parseIf,
  for: parseFor,
  set: parseSet,
  macro: parseMacro,
  call: parseCallBlock,
  filter: (stream) => {
    const filter = parseFilters(stream, parseFilter(stream, undefined));
    return { type: 'filter block', filter, body: parseBlock(stream, 'endfilter') };
  },
  with: parseWith,
  generation: (stream) => ({ type: 'scope', body: parseBlock(stream, 'endgeneration') }),
  print: parsePrint,
  break: () => ({ type: 'break' }),
  continue: () => ({ type: 'continue' }),
};

/** The body of a tag up to its end, which is taken but for its closing delimiter. */
function parseBlock(stream: TokenStream, end: string): Body {
  const body = parseBodyOfTag(stream, [end]);
  stream.next();
  return body;
}

function parseBodyOfTag(stream: TokenStream, ends: readonly string[]): Body {
  stream.skip('operator', ':');
  stream.expect('end', '%}');
  return parseBody(stream, ends);
}

function parseIf(stream: TokenStream): Statement {
  const branches: { test: Expression; body: Body }[] = [];
  for (;;) {
    const test = parseTuple(stream, { withConditional: false });
    branches.push({ test, body: parseBodyOfTag(stream, ['elif', 'else', 'endif']) });
    const { value: tag } = stream.next();
    if (tag === 'endif') return { type: 'if', branches, otherwise: [] };
    if (tag === 'else') return { type: 'if', branches, otherwise: parseBlock(stream, 'endif') };
  }
}

function parseFor(stream: TokenStream): Statement {
  const target = parseTarget(stream);
  stream.expect('name', 'in');
  const items = parseTuple(stream, { withConditional: false, isEnd: () => stream.isName('recursive') });
  const filter = stream.skip('name', 'if') ? parseExpression(stream) : undefined;
  if (stream.isName('recursive')) throw new TemplateUnsupported('a recursive loop');
  const body = parseBodyOfTag(stream, ['endfor', 'else']);
  const otherwise = stream.next().value === 'else' ? parseBlock(stream, 'endfor') : [];
  return { type: 'for', target, items, filter, body, otherwise };
}

function parseSet(stream: TokenStream): Statement {
  const target = parseTarget(stream);
  if (stream.skip('operator', '=')) return { type: 'set', target, value: parseTuple(stream) };
  const filter = stream.skip('operator', '|') ? parseFilters(stream, parseFilter(stream, undefined)) : undefined;
  return { type: 'set block', target, filter, body: parseBlock(stream, 'endset') };
}

function parseFilters(stream: TokenStream, first: FilterNode): FilterNode {
  let filter = first;
  while (stream.skip('operator', '|')) filter = parseFilter(stream, filter);
  return filter;
}

function parseMacro(stream: TokenStream): Statement {
  const { value: name } = stream.expect('name');
  return { type: 'macro', name, parameters: parseParameters(stream), body: parseBlock(stream, 'endmacro') };
}

function parseCallBlock(stream: TokenStream): Statement {
  const parameters = stream.isOperator('(') ? parseParameters(stream) : [];
  const call = parseExpression(stream);
  if (call.type !== 'call') throw stream.error('expected call');
  return { type: 'call block', call, parameters, body: parseBlock(stream, 'endcall') };
}

function parseParameters(stream: TokenStream): ParameterNodes {
  const parameters: { name: string; otherwise: Expression | undefined }[] = [];
  stream.expect('operator', '(');
  while (!stream.isOperator(')')) {
    if (parameters.length > 0) stream.expect('operator', ',');
    const { value: name } = stream.expect('name');
    const otherwise = stream.skip('operator', '=') ? parseExpression(stream) : undefined;
    if (otherwise === undefined && parameters.at(-1)?.otherwise !== undefined) {
      throw stream.error('non-default argument follows default argument');
    }
    parameters.push({ name, otherwise });
  }
  stream.expect('operator', ')');
  return parameters;
}

function parseWith(stream: TokenStream): Statement {
  const targets: [Target, Expression][] = [];
  while (stream.current.kind !== 'end') {
    if (targets.length > 0) stream.expect('operator', ',');
    const target = parseTarget(stream);
    stream.expect('operator', '=');
    targets.push([target, parseExpression(stream)]);
  }
  return { type: 'with', targets, body: parseBlock(stream, 'endwith') };
}

function parsePrint(stream: TokenStream): readonly Statement[] {
  const outputs: Statement[] = [];
  while (stream.current.kind !== 'end') {
    if (outputs.length > 0) stream.expect('operator', ',');
    outputs.push({ type: 'output', expression: parseExpression(stream) });
  }
  return outputs;
}

/** A name, an attribute of a namespace, or several of them, also in parentheses. */
function parseTarget(stream: TokenStream): Target {
  const items: Target[] = [];
  let isTuple = false;
  do {
    if (isTuple && (stream.isOperator('=', ')') || stream.isName('in') || stream.current.kind === 'end')) break;
    items.push(parseOneTarget(stream));
    isTuple ||= stream.isOperator(',');
  } while (stream.skip('operator', ','));
  return isTuple ? { type: 'tuple', items } : items[0]!;
}

function parseOneTarget(stream: TokenStream): Target {
  if (stream.skip('operator', '(')) {
    const inner = parseTarget(stream);
    stream.expect('operator', ')');
    return inner;
  }
  const { value: name } = stream.expect('name');
  if (!stream.skip('operator', '.')) return { type: 'name', name };
  return { type: 'attribute', namespace: name, name: stream.expect('name').value };
}
