import { MetaapoError, type TokenizedUnpaired, type Tokenizer, type UnpairedRow } from '@metaapo/core/contracts';
import type { Answered } from '../rows/parse-answers.js';
import { answerTexts } from './encode-answers.js';
import { type LimitedIds, limitLength } from './length-limits.js';
import { noRowLeft } from './no-row-left.js';
import { carryOutAll, type RowPlan } from './row-plans.js';
import { type SequenceReport, SequenceTally, sequenceSummary } from './sequence-tally.js';
import type { TokenizationOptions } from './tokenize-preference.js';

/** Judged responses as token ids, and what became of the rows. */
export interface TokenizedUnpairedRows {
  readonly rows: TokenizedUnpaired[];
  readonly report: UnpairedReport;
}

/** What became of the rows of judged responses, to be shown before a training. */
export interface UnpairedReport extends SequenceReport {
  /** Kept rows whose response is wanted, and those whose response is not. */
  readonly desirable: number;
  readonly undesirable: number;
  /** All of it as one sentence. */
  readonly summary: string;
}

/**
 * Token ids of judged responses in order, numbered over all files before any row is left out. Each gets the response of
 * the next kept row that has another prompt, the last ones that of the first, cut where its own prompt leaves less
 * room: what KTO estimates the divergence from the reference on.
 *
 * Differs from TRL: there the next row's response is taken whatever its prompt is, and inside of a batch of the data set.
 * @param tokenizer may be `undefined` when all rows hold token ids
 * @throws MetaapoError with code `data` at the first bad row, when no row is left, or when all have the same prompt
 */
export async function tokenizeUnpaired(
  rows: AsyncIterable<UnpairedRow> | Iterable<UnpairedRow>,
  tokenizer: Tokenizer | undefined,
  options: TokenizationOptions = {},
): Promise<TokenizedUnpairedRows> {
  const tally = new SequenceTally();
  const kept: Judged[] = [];
  let where = '';
  const planOf = (row: UnpairedRow): RowPlan<LimitedIds> => ({
    parts: [answerTexts(row, answersOf(row), tokenizer, options.vocabularySize)],
    finish: ([encoded]) => limitLength(row, encoded!, options),
  });
  const outcomes = carryOutAll(rows, tokenizer, planOf, options.onBadRow);
  for await (const { row, number: numbered, result: limited } of outcomes) {
    where = row.file;
    options.progress?.(numbered + 1);
    if ('dropped' in limited) {
      tally.drop(limited.dropped);
      continue;
    }
    const { prompt, responses } = limited.ids;
    kept.push({ row: numbered, prompt, completion: responses[0]!, isDesirable: row.isDesirable });
    tally.keep(row, [limited.ids], limited.truncated, tokenizer?.eosTokenId);
    if (kept.length === options.maxRows) break;
  }
  const report = reportOf(tally.report(), kept);
  if (kept.length === 0) throw noRowLeft(report);
  return { rows: withMismatched(kept, options.maxLength, where), report };
}

type Judged = Omit<TokenizedUnpaired, 'mismatched'>;

function answersOf(row: UnpairedRow): Answered {
  if (row.form === 'messages') {
    return { form: row.form, prompt: row.prompt, answers: [[...row.completion]], chat: row.chat };
  }
  if (row.form === 'text') return { form: row.form, prompt: row.prompt, answers: [row.completion] };
  return { form: row.form, prompt: row.prompt, answers: [row.completion] };
}

function reportOf(counts: SequenceReport, rows: readonly Judged[]): UnpairedReport {
  const desirable = rows.filter(({ isDesirable }) => isDesirable).length;
  const undesirable = rows.length - desirable;
  const summary = sequenceSummary(counts, [`${desirable} desirable, ${undesirable} undesirable`]);
  return { ...counts, desirable, undesirable, summary };
}

function withMismatched(rows: readonly Judged[], maxLength: number | undefined, where: string): TokenizedUnpaired[] {
  const last = rows.findLastIndex((row, index) => !hasSamePrompt(row, rows[(index + 1) % rows.length]!));
  if (last === -1) throw onePrompt(rows.length, where);
  const partners: Judged[] = [];
  for (let step = 0; step < rows.length; step++) {
    const index = (last - step + rows.length) % rows.length;
    const next = (index + 1) % rows.length;
    partners[index] = hasSamePrompt(rows[index]!, rows[next]!) ? partners[next]! : rows[next]!;
  }
  return rows.map((row, index) => {
    const { completion } = partners[index]!;
    const room = maxLength === undefined ? completion.length : maxLength - row.prompt.length;
    return { ...row, mismatched: completion.slice(0, room) };
  });
}

function hasSamePrompt({ prompt }: Judged, other: Judged): boolean {
  return prompt.length === other.prompt.length && prompt.every((id, at) => id === other.prompt[at]);
}

function onePrompt(rows: number, where: string): MetaapoError {
  return new MetaapoError('data', 'all rows have the same prompt', {
    where,
    expected: 'at least two prompts: the divergence from the reference is estimated on responses to another prompt',
    got: `${rows} rows with one prompt`,
    remedy: 'Add rows with other prompts',
  });
}
