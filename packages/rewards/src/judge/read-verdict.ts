import { matchedBy } from '../own-expression.js';
import type { JudgeSettings } from './judge-options.js';

/** Range of the scores. */
export interface ScoreRange {
  readonly low: number;
  readonly high: number;
}

/** Characters of an answer's end that are searched. */
const MOST = 20_000;

/**
 * The score that an answer states: `Score: 7`, in whatever dress models give it (bold, a heading, `7/10`, brackets, a code
 * fence, JSON, words around it), said in a sentence (`the score is 7`) or under a heading, or a number that is the whole
 * answer or stands in double brackets. The last statement counts, one that begins a line before any other; what is thought
 * aloud before the answer counts nothing.
 * @returns `undefined` where no number of the range is stated plainly: `seven`, `7-8`, `80%`, `7/5`
 */
export function readScore(answer: string, range: ScoreRange): number | undefined {
  const text = undressed(answer);
  const whole = /^\s*([^\n]+?)\s*$/.exec(text)?.[1];
  const alone = whole !== undefined && /^[-+]?\d/.test(whole) ? whole : undefined;
  const stated = lastOf(text, SCORES) ?? alone ?? lastBracketed(answer);
  return stated === undefined ? undefined : numberIn(stated, range);
}

/** Labels of a score with what follows them: at the begin of a line, and anywhere; in a sentence; under a heading. */
const SCORES = [
  /^[ \t>*•-]*(?:(?:my|the|final|overall|total) +)*(?:score|rating)(?: *\([^)\n]{0,40}\))? *[:=：] *([^\s][^\n]*)/gim,
  /\b(?:score|rating)(?: *\([^)\n]{0,40}\))? *[:=：] *([^\s][^\n]*)/gim,
  /\b(?:score|rating) (?:is|would be) +([^\n]*)/gi,
  /^[ \t]*(?:(?:my|the|final|overall|total) +)*(?:score|rating)(?: *\([^)\n]{0,40}\))? *[:=：]? *\n\s{0,9}([^\s][^\n]*)/gim,
];

function numberIn(stated: string, { low, high }: ScoreRange): number | undefined {
  const found = /^([-+]?\d+(?:\.\d+)?)(?![\d\w%‰])(?!\.\d)(?! *(?:-|–|—|to\b|or\b) *\d)(?!,\d)(.*)$/is.exec(stated);
  if (found === null) return undefined;
  const of = /^ *\(? *(?:\/|out of|of) *(\d+(?:\.\d+)?)/i.exec(found[2]!)?.[1];
  if (of !== undefined && Number(of) !== high) return undefined;
  return inRange(Number(found[1]), { low, high });
}

const inRange = (score: number, { low, high }: ScoreRange): number | undefined =>
  score >= low && score <= high ? score : undefined;

const TIE = 0.5;
const SHARES: Readonly<Record<string, number>> = { a: 1, b: 0, tie: TIE, draw: TIE };

/**
 * Share of the first answer by the winner that an answer states, `Winner: A`, dressed as scores are: 1, 0, or 0.5 for a
 * tie; `undefined` where none is stated plainly.
 */
export function readWinner(answer: string): number | undefined {
  const text = undressed(answer);
  const whole = /^\s*([^\n]+?)\s*$/.exec(text)?.[1];
  const alone = whole !== undefined && /^\(?(a|b|tie)\)?[.!]?$/i.test(whole) ? whole.replace('(', '') : undefined;
  const stated = lastOf(text, WINNERS) ?? alone ?? lastBracketed(answer);
  const winner = WINNER.exec(stated ?? '');
  const named = winner?.slice(1).find((group) => group !== undefined);
  return named === undefined ? undefined : SHARES[named.toLowerCase()];
}

/** What may follow the letter A, which else is a word: `a tie`, `a slight edge to B`. */
const BEHIND_A = 'is|was|wins|won|has|gives|because|since|as|for|by|with|over|but|though|although|due|given|clearly';

/** The winner at the begin of a statement; one letter beside the other names none. */
const WINNER = new RegExp(
  '^(?:an? +(?=tie|draw))?' +
    `(?:(?:answer|response|assistant) ?(a|b)|(a)(?! +(?!(?:${BEHIND_A})\\b)[a-z])|(b)|(tie|draw))\\b` +
    '(?! *(?:[/,&<>=~≈]+|or\\b|and\\b)? *(?:(?:answer|response|assistant) ?)?[ab]\\b)',
  'i',
);

const WINNERS = [
  /^[ \t>*•-]*(?:(?:my|the|final|overall) +)*(?:winner|verdict) *[:=：] *([^\n]*)/gim,
  /\b(?:winner|verdict) *[:=：] *([^\n]*)/gim,
  // In a sentence a small `a` is a word.
  /\b(?:[Ww]inner|[Vv]erdict) is *[:：]? *(?:a )?((?:(?:[Aa]nswer|[Rr]esponse|[Aa]ssistant) )?(?:[AB]|[Tt]ie|[Dd]raw)) *[.!]? *$/gm,
];

/** What stands in the last double brackets, where no label does: `[[7]]`, `[[A]]`. */
function lastBracketed(answer: string): string | undefined {
  return [
    ...withoutThoughts(answer)
      .slice(-MOST)
      .matchAll(/\[\[ *([-+]?\d[\d./]{0,20}|[AB]|tie) *\]\]/gi),
  ].at(-1)?.[1];
}

/** What the first pattern that is found has in its group, where it is found last. */
function lastOf(text: string, patterns: readonly RegExp[]): string | undefined {
  for (const pattern of patterns) {
    const last = [...text.matchAll(pattern)].at(-1);
    if (last !== undefined) return last[1];
  }
  return undefined;
}

/**
 * The last match of a pattern of one's own in an answer, in its first group or as a whole: a number of the range.
 */
export function readScoreBy(pattern: RegExp, answer: string, range: ScoreRange): number | undefined {
  const stated = lastMatch(pattern, answer)?.trim();
  return stated && /^[-+]?\d+(\.\d+)?$/.test(stated) ? inRange(Number(stated), range) : undefined;
}

/** The same for a winner: `A`, `B` or `tie`. */
export function readWinnerBy(pattern: RegExp, answer: string): number | undefined {
  const stated = lastMatch(pattern, answer)?.trim().toLowerCase() ?? '';
  return Object.hasOwn(SHARES, stated) ? SHARES[stated] : undefined;
}

function lastMatch(pattern: RegExp, answer: string): string | undefined {
  const said = withoutThoughts(answer).slice(-MOST);
  const last = matchedBy('judge, pattern', () => [...said.matchAll(pattern)].at(-1));
  return last?.[1] ?? last?.[0];
}

/** The pattern of the options as an expression; `undefined` where there is none. */
export function patternOf({ pattern }: Pick<JudgeSettings, 'pattern'>): RegExp | undefined {
  return pattern === undefined ? undefined : new RegExp(pattern, 'gm');
}

/** What is said after the thoughts; nothing where they did not end. */
function withoutThoughts(answer: string): string {
  const end = Math.max(...['</think>', '</thinking>', '</thought>'].map((tag) => endOf(answer, tag)));
  const said = end < 0 ? answer : answer.slice(end);
  return /<think(?:ing)?>|<thought>/.test(said) ? '' : said;
}

function endOf(text: string, tag: string): number {
  const at = text.lastIndexOf(tag);
  return at < 0 ? -1 : at + tag.length;
}

/** An answer without its thoughts, the marks of turns, and what dresses text: Markdown, LaTeX, quotes and brackets. */
function undressed(answer: string): string {
  return withoutThoughts(answer)
    .slice(-MOST)
    .replace(/<\|[^|>\n]{1,40}\|>|<\/?s>|<(?:start|end)_of_turn>|\[\/?INST\]/g, ' ')
    .replace(/<(score|rating|winner|verdict)>/gi, '$1: ')
    .replace(/<\/[a-z]+>/gi, ' ')
    .replace(/\\(?:boxed|text|textbf|mathbf)\{/g, '')
    .replace(/[*`~#$"'“”‘’<>[\]{}]/g, '')
    .replace(/(?<=\W|^)_+|_+(?=\W|$)/g, '')
    .replace(/_/g, ' ')
    .replace(/^[ \t]+/gm, '');
}
