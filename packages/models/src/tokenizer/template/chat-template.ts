import { bindArguments } from './bind-arguments.js';
import { itemsOf } from './comparisons.js';
import { compileBody } from './compile-statement.js';
import { parseTemplate } from './parse-template.js';
import { Budget } from './render-tools.js';
import { Output, Scope } from './scope.js';
import { strftime } from './strftime.js';
import { TemplateRefusal } from './template-errors.js';
import {
  Callable,
  type Dict,
  Namespace,
  numberOf,
  Range,
  templateValue,
  textOf,
  typeName,
  type Value,
} from './values.js';

/** A chat template, ready to be rendered. */
export interface ChatTemplate {
  /**
   * The text for these variables.
   * @throws TemplateRefusal where the template refuses them or Python would raise
   */
  render(variables: Readonly<Record<string, unknown>>): string;
}

/**
 * A chat template that renders as jinja2 does in the way that transformers sets it up: `trim_blocks`, `lstrip_blocks`, loop
 * controls, the `generation` tag, JSON without escaped characters, `raise_exception` and `strftime_now`, in the immutable
 * sandbox.
 * @param now what `strftime_now` writes
 * @throws TemplateSyntaxError for a wrong template, TemplateUnsupported for one that is not rendered here exactly
 */
export function compileChatTemplate(template: string, now: () => Date): ChatTemplate {
  const run = compileBody(parseTemplate(template));
  const globals = globalsOf(now);
  return {
    render: (variables) => {
      const budget = new Budget();
      const scope = new Scope(budget);
      for (const [name, value] of globals) scope.set(name, value);
      const given = scope.inner();
      for (const [name, value] of Object.entries(variables))
        if (value !== undefined) given.set(name, templateValue(value));
      const output = new Output(budget);
      try {
        run(given.inner(), output);
        return output.text();
      } catch (cause) {
        // What is nested or repeated without measure, as Python's RecursionError and MemoryError say it.
        throw cause instanceof RangeError ? new TemplateRefusal(`it goes too far: ${cause.message}`) : cause;
      }
    },
  };
}

function globalsOf(now: () => Date): ReadonlyMap<string, Value> {
  const globals: Readonly<Record<string, Callable['call']>> = {
    raise_exception: (given) => {
      throw new TemplateRefusal(textOf(bindArguments('raise_exception', given, { message: undefined })[0]!));
    },
    strftime_now: (given) => strftime(now(), textOf(bindArguments('strftime_now', given, { format: undefined })[0]!)),
    range: (given) => rangeOf(bindArguments('range', given, { start: undefined, stop: null, step: 1 })),
    dict: ({ positional, named }) => dictOf(positional, named),
    namespace: ({ positional, named }) => namespaceOf(dictOf(positional, named)),
  };
  return new Map(Object.entries(globals).map(([name, call]) => [name, new Callable(call)]));
}

function rangeOf([start, stop, step]: readonly Value[]): Range {
  const [from, to, by] = [start!, stop!, step!].map((value) => (value === null ? undefined : numberOf(value)));
  if (from === undefined || by === undefined || (to === undefined && stop !== null)) {
    throw new TemplateRefusal('range() takes integers');
  }
  if (by === 0) throw new TemplateRefusal('range() arg 3 must not be zero');
  return to === undefined ? new Range(0, from, 1) : new Range(from, to, by);
}

function dictOf(positional: readonly Value[], named: ReadonlyMap<string, Value>): Dict {
  const [first] = positional;
  const entries = first instanceof Map ? [...first] : first === undefined ? [] : [...itemsOf(first)].map(pairOf);
  return new Map<Value, Value>([...entries, ...named]);
}

function pairOf(value: Value): [Value, Value] {
  const [key, item, ...rest] = itemsOf(value);
  if (key !== undefined && item !== undefined && rest.length === 0) return [key, item];
  throw new TemplateRefusal(`cannot convert a ${typeName(value)} to a pair`);
}

function namespaceOf(attributes: Dict): Namespace {
  for (const name of attributes.keys()) {
    if (typeof name === 'string' && name.startsWith('_')) {
      throw new TemplateRefusal(`underscore-prefixed attributes cannot be stored on a namespace: ${name}`);
    }
  }
  return new Namespace(attributes);
}
