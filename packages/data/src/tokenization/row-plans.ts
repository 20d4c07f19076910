import { encodeTexts, isMetaapoError, type RowOrigin, type Tokenizer } from '@metaapo/core/contracts';
import { mapWithinTime } from '@metaapo/core/storage';
import { type BadRowListener, orBadRow } from '../rows/bad-rows.js';
import type { AnswerTexts } from './encode-answers.js';
import type { SplitIds } from './split-at-boundary.js';

/** What turns one row into a result: the texts to encode, and what comes of their ids. */
export interface RowPlan<Result> {
  readonly parts: readonly AnswerTexts[];
  /** @param ids of each of the parts */
  finish(ids: readonly SplitIds[]): Result;
}

/** A plan carried out alone. */
export function carryOut<Result>({ parts, finish }: RowPlan<Result>, tokenizer: Tokenizer | undefined): Result {
  const ids = parts.map(({ texts, addSpecialTokens, split }) =>
    split(texts.map((text) => tokenizer!.encode(text, { addSpecialTokens }))),
  );
  return finish(ids);
}

/** Rows whose texts are rendered under one watch, and encoded together. */
const BATCH = 128;
const WATCHED = { where: 'the chat template', what: 'a batch of rows' };

/** A row with what came of it. */
export interface Outcome<Row, Result> {
  readonly row: Row;
  /** 0-based over all files. */
  readonly number: number;
  readonly result: Result;
}

/**
 * Plans of many rows, carried out in batches: while one is encoded, the next is read and rendered. Results come in the order
 * of the rows, and so do errors.
 * @param planOf told the row and its number over all files
 * @param onBadRow hears of a row that cannot be tokenised, which then has no result; absent: its error is thrown
 */
export async function* carryOutAll<Row extends RowOrigin, Result>(
  rows: AsyncIterable<Row> | Iterable<Row>,
  tokenizer: Tokenizer | undefined,
  planOf: (row: Row, number: number) => RowPlan<Result>,
  onBadRow?: BadRowListener,
): AsyncGenerator<Outcome<Row, Result>> {
  let ahead: Promise<readonly (() => Outcome<Row, Result>)[]> = Promise.resolve([]);
  let batch: Numbered<Row>[] = [];
  let number = 0;
  for await (const row of rows) {
    batch.push({ row, number });
    number += 1;
    if (batch.length < BATCH) continue;
    const finished = ahead;
    ahead = encoded(plannedTogether(batch, planOf), tokenizer);
    ahead.catch(() => undefined);
    batch = [];
    yield* outcomesOf(await finished, onBadRow);
  }
  yield* outcomesOf(await ahead, onBadRow);
  yield* outcomesOf(await encoded(plannedTogether(batch, planOf), tokenizer), onBadRow);
}

function* outcomesOf<Item>(made: readonly (() => Item)[], onBadRow: BadRowListener | undefined): Generator<Item> {
  for (const make of made) {
    const outcome = orBadRow(onBadRow, make);
    if (outcome !== undefined) yield outcome;
  }
}

interface Numbered<Row> {
  readonly row: Row;
  readonly number: number;
}

/** A plan, or the error of making it, which is kept until the rows before it have had theirs. */
interface Planned<Row, Result> extends Numbered<Row> {
  readonly plan: { readonly made: RowPlan<Result> } | { readonly error: unknown };
}

/** Plans of the rows of a batch; behind an error that no listener hears of, there are no more. */
function plannedTogether<Row, Result>(
  batch: readonly Numbered<Row>[],
  planOf: (row: Row, number: number) => RowPlan<Result>,
): readonly Planned<Row, Result>[] {
  let last: { readonly error: unknown } | undefined;
  const planned = (row: Row, number: number): Planned<Row, Result>['plan'] => {
    try {
      return last ?? { made: planOf(row, number) };
    } catch (error) {
      if (!isMetaapoError(error) || error.code !== 'data') last = { error };
      return { error };
    }
  };
  return mapWithinTime(batch, ({ row, number }) => ({ row, number, plan: planned(row, number) }), WATCHED);
}

async function encoded<Row, Result>(
  batch: readonly Planned<Row, Result>[],
  tokenizer: Tokenizer | undefined,
): Promise<readonly (() => Outcome<Row, Result>)[]> {
  const parts = batch.flatMap(({ plan }) => ('made' in plan ? plan.made.parts : []));
  const ids = await encodedParts(parts, tokenizer);
  return batch.map(({ row, number, plan }) => () => {
    if ('error' in plan) throw plan.error;
    return { row, number, result: plan.made.finish(plan.made.parts.map((part) => part.split(ids.get(part)!))) };
  });
}

/** Ids of the texts of each part. */
async function encodedParts(
  parts: readonly AnswerTexts[],
  tokenizer: Tokenizer | undefined,
): Promise<ReadonlyMap<AnswerTexts, readonly Int32Array[]>> {
  const texts = parts.flatMap(({ texts, addSpecialTokens }) => texts.map((text) => ({ text, addSpecialTokens })));
  // Without texts the tokenizer is not asked.
  const all = await encodeTexts(texts, tokenizer!);
  const ids = new Map<AnswerTexts, readonly Int32Array[]>();
  let at = 0;
  for (const part of parts) {
    ids.set(part, all.slice(at, at + part.texts.length));
    at += part.texts.length;
  }
  return ids;
}
