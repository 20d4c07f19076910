import { type AnyPart, type Plugin, slotName } from '@metaapo/core/contracts';
import { familyTable, harmlessTable } from './family-tables.js';
import { lossTable } from './loss-table.js';
import { optionTable } from './option-tables.js';

/**
 * What a README asks for: a table of {@link TABLES}, `losses`, or `options of SLOT`, of all its parts or of those whose ids
 * follow.
 */
const BLOCK = /<!-- written by `pnpm run docs`: (.*?) -->\n.*?<!-- end -->/gs;

/** Tables that are of no part. */
const TABLES: Readonly<Record<string, () => string>> = { families: familyTable, 'harmless fields': harmlessTable };

/**
 * A package's README with its tables as the code has them.
 * @throws Error when a part of the plugin stands in no table, or a table asks for what is not there
 */
export function withTables(readme: string, { name, parts }: Plugin): string {
  const shown = new Set<AnyPart>();
  const text = readme.replaceAll(BLOCK, (_, subject: string) => {
    const written = (table: string): string =>
      `<!-- written by \`pnpm run docs\`: ${subject} -->\n\n${table}\n\n<!-- end -->`;
    if (TABLES[subject] !== undefined) return written(TABLES[subject]());
    const asked = subject === 'losses' ? lossesOf(parts) : partsOf(parts, subject);
    for (const part of asked) shown.add(part);
    return written(subject === 'losses' ? lossTable() : optionTable(asked));
  });
  const missing = parts.filter((part) => !shown.has(part));
  if (missing.length === 0) return text;
  const ids = missing.map(({ slot, id }) => `${slotName(slot)} ${id}`).join(', ');
  throw new Error(`the README of ${name} has no table with the options of ${ids}`);
}

/** Losses of the catalogue, whose options docs/losses.md lists; all but the sum of others. */
function lossesOf(parts: readonly AnyPart[]): readonly AnyPart[] {
  return parts.filter(({ id }) => id !== 'weighted-sum');
}

function partsOf(parts: readonly AnyPart[], subject: string): readonly AnyPart[] {
  const [, slot, ids = ''] = /^options of (\S+)(.*)$/.exec(subject) ?? [];
  const ofSlot = parts.filter((part) => slotName(part.slot) === slot);
  const wanted = ids.split(' ').filter(Boolean);
  const found = wanted.length === 0 ? ofSlot : wanted.map((id) => ofSlot.find((part) => part.id === id));
  if (found.length === 0 || found.includes(undefined)) throw new Error(`there are no ${subject}`);
  return found as readonly AnyPart[];
}
