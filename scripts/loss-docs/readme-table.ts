import type { LossEntry } from '@metaapo/losses';
import * as losses from '@metaapo/losses';
import { letterTable } from './letters.js';

const [BEGIN, END] = ['<!-- written by `pnpm run docs` -->', '<!-- end -->'];

/**
 * The README with its list of losses as the code has it.
 * @throws Error when a loss has no factory by its name, or the README lost its marks
 */
export function withLossTable(readme: string, entries: readonly LossEntry<object>[]): string {
  const [start, end] = [readme.indexOf(BEGIN), readme.indexOf(END)];
  if (start < 0 || end < start) throw new Error(`the README of the losses lacks ${BEGIN} and ${END}`);
  const text = `${lossTable(entries)}\n\nLetters of the formulas, here and in the sources:\n\n${letterTable()}`;
  return `${readme.slice(0, start)}${BEGIN}\n\n${text}\n\n${readme.slice(end)}`;
}

function lossTable(entries: readonly LossEntry<object>[]): string {
  const rows = entries.map((entry) => {
    const options = Object.keys(entry.options).map((name) => `\`${name}\``);
    const cells = [
      `\`${factoryOf(entry.id)}\``,
      `\`${entry.id}\``,
      readsText(entry),
      options.join(', '),
      entry.summary,
    ];
    return `| ${cells.join(' | ')} |`;
  });
  return ['| factory | id | log-probs | options | what it does |', '|---|---|---|---|---|', ...rows].join('\n');
}

/** What a loss compares: sums or means, with or without a reference, or rewards. */
export function readsText({ reads, aggregation, isReferenceFree }: LossEntry<object>): string {
  if (reads === 'rewards') return 'rewards';
  return `${aggregation}s${isReferenceFree === true ? ', no reference' : ''}`;
}

function factoryOf(id: string): string {
  const name = id.replace(/-[a-z]/g, (match) => match[1]!.toUpperCase());
  if (typeof (losses as Readonly<Record<string, unknown>>)[name] === 'function') return name;
  throw new Error(`there is no factory ${name} for the loss ${id}`);
}
