import { readFileSync } from 'node:fs';
import { describeOptions } from '@metaapo/core/contracts';
import type { LossEntry, Publication } from '@metaapo/losses';
import { lettersOf } from './letters.js';
import { valueWithoutMargin } from './loss-curve.js';
import { cell } from './option-tables.js';

/** Everything about one loss. */
export async function lossSection(entry: LossEntry): Promise<string> {
  const value = await valueWithoutMargin(entry);
  const items = [
    ['Letters', lettersOf(entry)],
    ['Gradient', entry.gradient],
    ['Without a margin', valueText(value)],
    ['For', entry.use],
    ['In TRL', entry.trl],
    ['Source', entry.publications.map(publicationText).join('; ')],
    ...differences(entry.id),
  ];
  const list = items.map(([name, text]) => `- **${name}:** ${text}`).join('\n');
  return `### ${entry.id}\n\n${entry.summary}\n\n    ${entry.formula}\n\n${list}\n\n${optionsTable(entry)}`;
}

function optionsTable({ options }: LossEntry): string {
  const described = describeOptions(options);
  if (described.length === 0) return 'It has no options.';
  const rows = described.map(
    ({ name, default: value, accepts, usual = 'either', meaning, defaultFrom = 'convention' }) => {
      const cells = [`\`${JSON.stringify(value)}\` (${defaultFrom})`, accepts, usual, meaning];
      return `| \`${name}\` | ${cells.map(cell).join(' | ')} |`;
    },
  );
  const title = '| option | default (from) | accepts | usual | which way it pushes |';
  return [title, '|---|---|---|---|---|', ...rows].join('\n');
}

function publicationText({ authors, title, year, arxiv, equation }: Publication): string {
  const source = arxiv === undefined ? '' : `, [arXiv ${arxiv}](https://arxiv.org/abs/${arxiv})`;
  return `${authors} ${year}, *${title}*${source}${equation === undefined ? '' : `, equation ${equation}`}`;
}

/** The value, and as a multiple of log 2 where it is one. */
function valueText(value: number): string {
  const multiple = value / Math.LN2;
  const isMultiple = [0.1, 1, 2].some((one) => Math.abs(multiple - one) < 1e-5);
  const words = Math.abs(multiple - 1) < 1e-5 ? 'log 2' : `${Number(multiple.toFixed(3))} log 2`;
  return `${Number(value.toPrecision(4))}${isMultiple ? `, which is ${words}` : ''}`;
}

/** What the loss's own file says under "Differs from ...". */
function differences(id: string): readonly (readonly [string, string])[] {
  const source = readFileSync(new URL(`../../packages/losses/src/${id}.ts`, import.meta.url), 'utf8');
  const text = /^ \* (Differs from [^:]*?):? ((?:.|\n(?! \*\n))*)/m.exec(source)?.[0];
  if (text === undefined) return [];
  const plain = text.replaceAll(/\n \* /g, ' ').replace(/^ \* /, '');
  return [['Note', plain]];
}
