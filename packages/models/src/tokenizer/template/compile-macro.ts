import { compileExpression, type Evaluate } from './compile-expression.js';
import type { Run } from './compile-statement.js';
import { Output, type Scope } from './scope.js';
import type { Body, ParameterNodes } from './syntax-tree.js';
import { TemplateRefusal } from './template-errors.js';
import { type Arguments, Callable, Tuple, Undefined, type Value } from './values.js';

/**
 * A macro as a function of the scope in which it is defined.
 * @param node its statements, which say whether it takes more arguments than its parameters
 * @param run the same, compiled
 */
export function compileMacro(
  name: string,
  parameters: ParameterNodes,
  node: Body,
  run: Run,
): (scope: Scope) => Callable {
  const names = namesIn(node);
  const compiled = parameters.map((parameter) => ({
    name: parameter.name,
    otherwise: parameter.otherwise && compileExpression(parameter.otherwise),
  }));
  const attributes = new Map<string, Value>([
    ['name', name],
    ['arguments', new Tuple(parameters.map((parameter) => parameter.name))],
    ['catch_kwargs', names.has('kwargs')],
    ['catch_varargs', names.has('varargs')],
    ['caller', names.has('caller')],
  ]);
  return (outer) =>
    new Callable((given) => {
      outer.budget.step();
      const scope = outer.inner();
      const output = new Output(outer.budget);
      outer.budget.nested(() => {
        bindExtras(
          name,
          compiled.map((parameter) => parameter.name),
          given,
          names,
          scope,
        );
        for (const [index, parameter] of compiled.entries()) {
          const value = index < given.positional.length ? given.positional[index] : given.named.get(parameter.name);
          scope.set(parameter.name, value === undefined ? defaultOf(parameter, scope) : value);
        }
        run(scope, output);
      });
      return output.text();
    }, attributes);
}

function defaultOf({ name, otherwise }: { name: string; otherwise: Evaluate | undefined }, scope: Scope): Value {
  return otherwise ? otherwise(scope) : new Undefined(`parameter '${name}' was not provided`);
}

/** Sets `caller`, `kwargs` and `varargs` where the macro reads them, and refuses arguments that it has no place for. */
function bindExtras(
  name: string,
  parameters: readonly string[],
  { positional, named }: Arguments,
  read: ReadonlySet<string>,
  scope: Scope,
): void {
  const extra = new Map([...named].filter(([key]) => !parameters.slice(positional.length).includes(key)));
  if (read.has('caller') && !parameters.includes('caller')) {
    const caller = extra.get('caller');
    scope.set('caller', caller === undefined || caller === null ? new Undefined('No caller defined') : caller);
    extra.delete('caller');
  }
  if (read.has('kwargs')) scope.set('kwargs', new Map<Value, Value>(extra));
  else if (extra.size > 0)
    throw new TemplateRefusal(`macro '${name}' takes no keyword argument '${[...extra.keys()][0]}'`);
  if (read.has('varargs')) scope.set('varargs', new Tuple(positional.slice(parameters.length)));
  else if (positional.length > parameters.length) {
    throw new TemplateRefusal(`macro '${name}' takes not more than ${parameters.length} argument(s)`);
  }
}

/** All names that statements read. */
function namesIn(node: unknown, found = new Set<string>()): ReadonlySet<string> {
  if (Array.isArray(node)) for (const one of node) namesIn(one, found);
  else if (typeof node === 'object' && node !== null && !(node instanceof Map)) {
    const { type, name } = node as { readonly type?: string; readonly name?: string };
    if (type === 'name' && name !== undefined) found.add(name);
    for (const one of Object.values(node)) namesIn(one, found);
  }
  return found;
}
