import type { LossEntry } from '@metaapo/losses';
import * as losses from '@metaapo/losses';
import { letterTable } from './letters.js';

/**
 * A table of all losses, and one of the letters of their formulas.
 * @throws Error when a loss has no factory by its name
 */
export function lossTable(): string {
  const rows = (losses.catalogue as readonly LossEntry[]).map((entry) => {
    const options = Object.keys(entry.options.shape).map((name) => `\`${name}\``);
    const cells = [
      `\`${factoryOf(entry.id)}\``,
      `\`${entry.id}\``,
      readsText(entry),
      options.join(', '),
      entry.summary,
    ];
    return `| ${cells.join(' | ')} |`;
  });
  const table = ['| factory | id | log-probs | options | what it does |', '|---|---|---|---|---|', ...rows].join('\n');
  return `${table}\n\nLetters of the formulas, here and in the sources:\n\n${letterTable()}`;
}

/** What a loss compares: sums or means, with or without a reference, or rewards. */
export function readsText({ reads, aggregation, isReferenceFree }: LossEntry): string {
  if (reads === 'rewards') return 'rewards';
  return `${aggregation}s${isReferenceFree === true ? ', no reference' : ''}`;
}

function factoryOf(id: string): string {
  const name = id.replace(/-[a-z]/g, (match) => match[1]!.toUpperCase());
  if (typeof (losses as Readonly<Record<string, unknown>>)[name] === 'function') return name;
  throw new Error(`there is no factory ${name} for the loss ${id}`);
}
