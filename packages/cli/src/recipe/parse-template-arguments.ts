import { MetaapoError } from '@metaapo/core/contracts';
import { parseYamlValue } from './parse-yaml-value.js';

/**
 * Variables of the chat template out of the flag `--template-arguments`.
 * @throws MetaapoError with code `config` when it holds none
 */
export function parseTemplateArguments(text: string): Readonly<Record<string, unknown>> {
  const value = parseYamlValue('--template-arguments', text, ['data', 'templateArguments']);
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new MetaapoError('config', 'it names no variables', {
    where: '--template-arguments',
    expected: 'names with values, such as {enable_thinking: false}',
    got: text,
    remedy: 'Write them in braces, and quote the whole for the shell',
  });
}
