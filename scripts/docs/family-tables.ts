import { ARCHITECTURES, HARMLESS_FIELDS } from '@metaapo/models';

/** A table of Markdown: the titles, then a row each. */
export const table = (...rows: readonly (readonly string[])[]): string => {
  const [titles, ...rest] = rows as readonly [readonly string[], ...(readonly string[])[]];
  return [titles, titles.map(() => '---'), ...rest].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
};

/** The families of models, as each declares itself. */
export function familyTable(): string {
  const rows = ARCHITECTURES.map(({ id, models, traits }) => [`\`${id}\``, models, traits]);
  return table(['`model_type`', 'models', 'its own'], ...rows);
}

/** The fields of config.json that change no log-probability in any family, by reason. */
export function harmlessTable(): string {
  const byReason = new Map<string, string[]>();
  for (const [field, reason] of HARMLESS_FIELDS) {
    byReason.set(reason, [...(byReason.get(reason) ?? []), `\`${field}\``]);
  }
  return table(['fields', 'why they change nothing'], ...[...byReason].map(([why, names]) => [names.join(' '), why]));
}
