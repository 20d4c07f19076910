import { MetaapoError } from '@metaapo/core/contracts';
import type { z } from 'zod';

/**
 * Checked options with every default filled in, frozen.
 * @throws MetaapoError with code `config` for an option that is unknown or not accepted
 */
export function parseOptions<Schema extends z.ZodType>(
  part: string,
  schema: Schema,
  given: unknown,
): Readonly<z.output<Schema>> {
  const parsed = schema.safeParse(given);
  if (parsed.success) return Object.freeze(parsed.data);
  const issue = parsed.error.issues[0]!;
  throw new MetaapoError('config', issue.message, {
    where: [part, ...issue.path.map(String)].join(' '),
    remedy: 'Correct the option in the recipe or in the call of the factory',
  });
}
