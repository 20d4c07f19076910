import type { RowOrigin } from '@metaapo/core/contracts';
import type { DropReason } from './length-limits.js';
import type { SplitIds } from './split-at-boundary.js';

/** Token counts over rows. */
export interface TokenStatistics {
  readonly min: number;
  readonly mean: number;
  readonly max: number;
}

/** What became of the rows of a data set. */
export interface SequenceReport {
  /** Rows read. */
  readonly rows: number;
  readonly kept: number;
  /** Rows left out, by reason. */
  readonly dropped: Readonly<Record<DropReason, number>>;
  /** Responses whose end was cut. */
  readonly truncatedResponses: number;
  /** Kept rows in which some response holds no end-of-sequence token; 0 when the tokenizer names none. */
  readonly rowsWithoutEnd: number;
  /** Tokens of a prompt, of a response, and of a prompt with its longest response. */
  readonly prompt: TokenStatistics;
  readonly response: TokenStatistics;
  readonly sequence: TokenStatistics;
  /** The rows with the longest sequences, the longest first. */
  readonly longest: readonly { readonly file: string; readonly row: number; readonly tokens: number }[];
}

const LONGEST = 5;

/** Counts rows as they are tokenised. */
export class SequenceTally {
  #rows = 0;
  #kept = 0;
  #truncated = 0;
  #withoutEnd = 0;
  readonly #dropped: Record<DropReason, number> = { 'prompt too long': 0, 'response too long': 0 };
  readonly #prompt = new Statistics();
  readonly #response = new Statistics();
  readonly #sequence = new Statistics();
  #longest: { file: string; row: number; tokens: number }[] = [];

  /** Counts a row that was left out. */
  drop(reason: DropReason): void {
    this.#rows += 1;
    this.#dropped[reason] += 1;
  }

  /** Counts a row that was kept: its prompts, each with its responses. */
  keep({ file, row }: RowOrigin, groups: readonly SplitIds[], truncated: number, eos: number | undefined): void {
    this.#rows += 1;
    this.#kept += 1;
    this.#truncated += truncated;
    const responses = groups.flatMap((group) => group.responses);
    if (eos !== undefined && responses.some((ids) => !ids.includes(eos))) this.#withoutEnd += 1;
    for (const { length } of responses) this.#response.add(length);
    const sequences = groups.map((group) => group.prompt.length + longestOf(group.responses));
    for (const [index, { prompt }] of groups.entries()) {
      this.#prompt.add(prompt.length);
      this.#sequence.add(sequences[index]!);
    }
    const longest = [...this.#longest, { file, row, tokens: Math.max(...sequences) }];
    this.#longest = longest.sort((a, b) => b.tokens - a.tokens).slice(0, LONGEST);
  }

  /** What was counted so far. */
  report(): SequenceReport {
    return {
      rows: this.#rows,
      kept: this.#kept,
      dropped: { ...this.#dropped },
      truncatedResponses: this.#truncated,
      rowsWithoutEnd: this.#withoutEnd,
      prompt: this.#prompt.summary(),
      response: this.#response.summary(),
      sequence: this.#sequence.summary(),
      longest: this.#longest,
    };
  }
}

const longestOf = (responses: readonly Int32Array[]): number => Math.max(...responses.map(({ length }) => length));

class Statistics {
  #count = 0;
  #sum = 0;
  #min = Number.POSITIVE_INFINITY;
  #max = 0;

  add(value: number): void {
    this.#count += 1;
    this.#sum += value;
    this.#min = Math.min(this.#min, value);
    this.#max = Math.max(this.#max, value);
  }

  summary(): TokenStatistics {
    return this.#count === 0
      ? { min: 0, mean: 0, max: 0 }
      : { min: this.#min, mean: this.#sum / this.#count, max: this.#max };
  }
}

/**
 * A report as one sentence.
 * @param remarks what only this kind of data has to say
 */
export function sequenceSummary(report: SequenceReport, remarks: readonly string[]): string {
  const { dropped, longest } = report;
  const shown = ({ min, mean, max }: TokenStatistics): string => `${min}/${mean.toFixed(1)}/${max}`;
  const [first] = longest;
  return [
    `${report.kept} of ${report.rows} rows kept`,
    ...Object.entries(dropped).flatMap(([reason, count]) => (count > 0 ? [`${count} dropped (${reason})`] : [])),
    ...(report.truncatedResponses > 0 ? [`${report.truncatedResponses} responses cut`] : []),
    ...(report.rowsWithoutEnd > 0 ? [`${report.rowsWithoutEnd} rows with a response that has no end token`] : []),
    ...remarks,
    `tokens min/mean/max: prompt ${shown(report.prompt)}, response ${shown(report.response)}, sequence ${shown(report.sequence)}`,
    ...(first ? [`longest is row ${first.row} of ${first.file} with ${first.tokens} tokens`] : []),
  ].join('; ');
}
