import { MetaapoError } from '@metaapo/core/contracts';
import { z } from 'zod';
import { parseYamlValue } from './parse-yaml-value.js';

/**
 * Names of columns out of the flag `--columns`: those in the file by those that they have here, or `false`.
 * @throws MetaapoError with code `config` when it holds none
 */
export function parseColumnNames(text: string): Readonly<Record<string, string | false>> {
  const { data } = z
    .record(z.string(), z.union([z.string(), z.literal(false)]))
    .safeParse(parseYamlValue('--columns', text));
  if (data !== undefined) return data;
  throw new MetaapoError('config', 'it names no columns', {
    where: '--columns',
    expected: 'names with names, such as {prompt: question}, or with false for a column that is not to be read',
    got: text,
    remedy: 'Write them in braces, and quote the whole for the shell',
  });
}
