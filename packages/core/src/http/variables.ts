import { MetaapoError } from '../contracts/index.js';

/** Environment variables by name. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** A value whose variables are filled in, and what came from them. */
export interface FilledIn<Value> {
  readonly value: Value;
  readonly secrets: readonly string[];
}

/**
 * A value of JSON with the values of environment variables in place of every text that is `${NAME}` as a whole.
 * @throws MetaapoError with code `config` for a variable that is not set
 */
export function withVariables<Value>(service: string, value: Value, env: Environment): FilledIn<Value> {
  const secrets: string[] = [];
  const fill = (one: unknown): unknown => {
    if (typeof one === 'string') return filled(one);
    if (Array.isArray(one)) return one.map(fill);
    if (typeof one !== 'object' || one === null) return one;
    return Object.fromEntries(Object.entries(one).map(([name, inner]) => [name, fill(inner)]));
  };
  const filled = (text: string): string => {
    const name = /^\$\{([A-Za-z_][A-Za-z0-9_]*)\}$/.exec(text)?.[1];
    if (name === undefined) return text;
    const given = env[name]?.trim();
    if (!given) {
      throw new MetaapoError('config', `the environment variable ${name} is not set`, {
        where: service,
        expected: `a value for \${${name}}`,
        remedy: `Set ${name}`,
      });
    }
    secrets.push(given);
    return given;
  };
  return { value: fill(value) as Value, secrets };
}
