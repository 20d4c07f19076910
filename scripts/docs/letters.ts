import type { LossEntry } from '@metaapo/losses';

/** What the letters mean that several formulas share; `tokens` says how the tokens of a response are put together. */
function sharedLetters(tokens: string): Readonly<Record<string, string>> {
  return {
    c: `log p of the chosen response, ${tokens}`,
    j: `log p of the rejected response, ${tokens}`,
    ref_c: `log r of the chosen response, ${tokens}`,
    ref_j: `log r of the rejected response, ${tokens}`,
    r_c: `log p - log r of the chosen response, ${tokens}`,
    r_j: `log p - log r of the rejected response, ${tokens}`,
    h: `the margin: log p - log r of chosen minus that of rejected, each ${tokens}; log p alone without a reference`,
    e: '`labelSmoothing`',
    tokens_c: 'number of tokens of the chosen response',
    tokens_j: 'number of tokens of the rejected response',
  };
}

const REWARDS = { c: 'reward of the chosen response', j: 'reward of the rejected response' };

/** The letters of a loss's formula, a phrase each. */
export function lettersOf(entry: LossEntry): string {
  const shared = sharedLetters(entry.aggregation === 'sum' ? 'summed over its tokens' : 'mean over its tokens');
  const meanings = { ...(entry.reads === 'rewards' ? REWARDS : shared), ...entry.letters };
  const used = Object.entries(meanings).filter(([letter]) => occurs(letter, entry.formula));
  return used.map(([letter, meaning]) => `\`${letter}\` ${meaning}`).join('; ');
}

function occurs(letter: string, formula: string): boolean {
  const escaped = letter.replace(/[()']/g, '\\$&');
  return new RegExp(`(?<![A-Za-z_])${escaped}(?![A-Za-z_])`).test(formula);
}

/** A table of the letters that several formulas share. */
export function letterTable(): string {
  const letters = {
    'p, r': 'probability under the policy and under the reference',
    ...sharedLetters('sum or mean over its tokens'),
    'softplus(x)': 'log(1 + exp x) = -log sigmoid(-x)',
  };
  const rows = Object.entries(letters).map(([letter, meaning]) => `| \`${letter}\` | ${meaning} |`);
  return ['| letter | stands for |', '|---|---|', ...rows].join('\n');
}
