import { itemsOf } from './comparisons.js';
import { compileArguments, compileExpression, compileFilter, type Evaluate } from './compile-expression.js';
import { compileMacro } from './compile-macro.js';
import { LoopState } from './loop-state.js';
import { Output, type Scope } from './scope.js';
import type { Body, Expression, Statement, Target } from './syntax-tree.js';
import { TemplateRefusal } from './template-errors.js';
import { Callable, isTrue, Lazy, Loop, Namespace, textOf, typeName, Undefined, type Value } from './values.js';

/** What a statement left undone: the rest of the pass, or of the whole loop. */
type Jump = 'break' | 'continue' | undefined;

/** What runs statements in a scope. */
export type Run = (scope: Scope, output: Output) => Jump;

/**
 * Statements as a function.
 * @throws TemplateSyntaxError or TemplateUnsupported
 */
export function compileBody(body: Body): Run {
  const runs = body.map(compileStatement);
  return (scope, output) => {
    for (const run of runs) {
      const jump = run(scope, output);
      if (jump !== undefined) return jump;
    }
    return undefined;
  };
}

function compileStatement(node: Statement): Run {
  switch (node.type) {
    case 'text':
      return (_, output) => void output.write(node.text);
    case 'output': {
      const evaluate = compileOutput(node.expression);
      return (scope, output) => void output.write(evaluate(scope));
    }
    case 'if':
      return compileIf(node);
    case 'for':
      return compileFor(node);
    case 'break':
    case 'continue':
      return () => node.type;
    case 'set': {
      const [assign, value] = [compileTarget(node.target), compileExpression(node.value)];
      return (scope) => assign(scope, value(scope));
    }
    case 'with':
      return compileWith(node);
    default:
      return compileBlock(node);
  }
}

type Block = Extract<Statement, { type: 'macro' | 'call block' | 'filter block' | 'set block' | 'scope' }>;

function compileBlock(node: Block): Run {
  const body = compileBody(node.body);
  switch (node.type) {
    case 'scope':
      return (scope, output) => body(scope.inner(), output);
    case 'macro': {
      const macro = compileMacro(node.name, node.parameters, node.body, body);
      return (scope): undefined => void scope.set(node.name, macro(scope));
    }
    case 'set block': {
      const assign = compileTarget(node.target);
      const text = textOfBody(body);
      const value = node.filter ? compileFilter(node.filter, text) : text;
      return (scope) => assign(scope, value(scope));
    }
    case 'filter block': {
      const value = compileFilter(node.filter, textOfBody(body));
      return (scope, output) => void output.write(textOf(value(scope)));
    }
    case 'call block': {
      const caller = compileMacro('caller', node.parameters, node.body, body);
      const [callee, given] = [compileExpression(node.call.callee), compileArguments(node.call.given)];
      return (scope, output) => {
        const [called, { positional, named }] = [callee(scope), given(scope)];
        if (!(called instanceof Callable)) throw new TemplateRefusal(`'${typeName(called)}' object is not callable`);
        output.write(textOf(called.call({ positional, named: new Map([...named, ['caller', caller(scope)]]) })));
        return undefined;
      };
    }
  }
}

/** The text that a body writes in a scope of its own. */
const textOfBody =
  (body: Run): Evaluate =>
  (scope) => {
    const output = new Output(scope.budget);
    body(scope.inner(), output);
    return output.text();
  };

/** An output; where it ends with `safe` or `escape`, these mark nothing that anybody reads. */
function compileOutput(expression: Expression): (scope: Scope) => string {
  if (expression.type === 'filter' && expression.input && expression.given.positional.length === 0) {
    const inner = (): Evaluate => compileExpression(expression.input!);
    if (expression.name === 'safe') return printing(inner());
    if (expression.name === 'e' || expression.name === 'escape') {
      const text = printing(inner());
      return (scope) => text(scope).replace(/[&<>'"]/g, (character) => ENTITIES[character]!);
    }
  }
  return printing(compileExpression(expression));
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  "'": '&#39;',
  '"': '&#34;',
};

const printing =
  (evaluate: Evaluate): ((scope: Scope) => string) =>
  (scope) =>
    textOf(evaluate(scope));

function compileIf({ branches, otherwise }: Extract<Statement, { type: 'if' }>): Run {
  const compiled = branches.map(({ test, body }) => ({ test: compileExpression(test), body: compileBody(body) }));
  const last = compileBody(otherwise);
  return (scope, output) => {
    const branch = compiled.find(({ test }) => isTrue(test(scope)));
    return (branch?.body ?? last)(scope, output);
  };
}

function compileFor(node: Extract<Statement, { type: 'for' }>): Run {
  const [items, assign] = [compileExpression(node.items), compileTarget(node.target)];
  const [body, otherwise] = [compileBody(node.body), compileBody(node.otherwise)];
  const filter = node.filter && compileExpression(node.filter);
  return (scope, output) => {
    const source = items(scope);
    const loop = new LoopState(filter ? filtered(source, scope, assign, filter) : source);
    const value = new Loop((name) => loop.attribute(name));
    for (let item = loop.advance(); item !== undefined; item = loop.advance()) {
      scope.budget.step();
      const inner = scope.inner();
      inner.set('loop', value);
      assign(inner, item);
      if (body(inner, output) === 'break') break;
    }
    if (loop.index0 === -1) return otherwise(scope.inner(), output);
    return undefined;
  };
}

/** The items of a loop that pass its condition, looked at one by one. */
function filtered(source: Value, scope: Scope, assign: Assign, filter: Evaluate): Lazy {
  function* generate(): Generator<Value> {
    for (const item of itemsOf(source)) {
      const inner = scope.inner();
      assign(inner, item);
      if (isTrue(filter(inner))) yield item;
    }
  }
  return new Lazy(generate());
}

function compileWith({ targets, body }: Extract<Statement, { type: 'with' }>): Run {
  const compiled = targets.map(([target, value]) => [compileTarget(target), compileExpression(value)] as const);
  const run = compileBody(body);
  return (scope, output) => {
    const inner = scope.inner();
    const values = compiled.map(([, value]) => value(scope));
    for (const [index, [assign]] of compiled.entries()) assign(inner, values[index]!);
    return run(inner, output);
  };
}

type Assign = (scope: Scope, value: Value) => undefined;

function compileTarget(target: Target): Assign {
  if (target.type === 'name') {
    return (scope, value) => void scope.set(target.name, value);
  }
  if (target.type === 'attribute') {
    return (scope, value) => {
      const namespace = scope.get(target.namespace);
      if (!(namespace instanceof Namespace)) throw notNamespace(namespace);
      namespace.attributes.set(target.name, value);
    };
  }
  const parts = target.items.map(compileTarget);
  return (scope, value) => {
    const items = [...itemsOf(value)];
    if (items.length !== parts.length) {
      throw new TemplateRefusal(`${parts.length} values to unpack are expected, not ${items.length}`);
    }
    for (const [index, assign] of parts.entries()) assign(scope, items[index]!);
  };
}

function notNamespace(value: Value): Error {
  const got = value instanceof Undefined ? value.reason : `a ${typeName(value)}`;
  return new TemplateRefusal(`cannot assign attribute on non-namespace object: ${got}`);
}
