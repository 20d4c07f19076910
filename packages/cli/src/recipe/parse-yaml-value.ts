import { MetaapoError } from '@metaapo/core/contracts';
import { parse, YAMLError } from 'yaml';

/**
 * A YAML value out of a flag.
 * @throws MetaapoError with code `config` that names the flag when it is no YAML
 */
export function parseYamlValue(flag: string, text: string): unknown {
  try {
    return parse(text);
  } catch (cause) {
    if (!(cause instanceof YAMLError)) throw cause;
    throw new MetaapoError('config', `the value is no YAML: ${cause.message.split(/ at line|\n/)[0]}`, {
      where: flag,
      expected: 'a value such as 3, name, [a, b] or {id: dpo, beta: 0.1}',
      got: text,
      remedy: 'Close what is open, and quote the value for the shell',
    });
  }
}
