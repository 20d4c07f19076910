import { TemplateRefusal } from './template-errors.js';
import type { Arguments, Value } from './values.js';

/** Parameters of a function: names in order, each with its default; `undefined` for one that has to be given. */
export type Parameters = Readonly<Record<string, Value | undefined>>;

/**
 * The arguments of a call by the names of its parameters, defaults filled in.
 * @throws TemplateRefusal for an argument that is missing, unknown or one too many
 */
export function bindArguments(name: string, { positional, named }: Arguments, parameters: Parameters): Value[] {
  const names = Object.keys(parameters);
  if (positional.length > names.length) throw new TemplateRefusal(`${name}() takes at most ${names.length} arguments`);
  for (const given of named.keys()) {
    if (names.indexOf(given) < positional.length) {
      throw new TemplateRefusal(`${name}() got an unexpected keyword argument '${given}'`);
    }
  }
  return names.map((parameter, index) => {
    const byName = named.has(parameter) ? named.get(parameter) : parameters[parameter];
    const value = index < positional.length ? positional[index] : byName;
    if (value !== undefined) return value;
    throw new TemplateRefusal(`${name}() is missing the argument '${parameter}'`);
  });
}
