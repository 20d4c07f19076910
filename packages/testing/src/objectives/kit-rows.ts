import type { Objective, ObjectiveRows, RowForm, RowsByForm } from '@metaapo/core/contracts';

/** Rows of every form, six of each: no two alike, with everything that such a row may have. */
const ROWS: { readonly [Form in RowForm]: (row: number) => RowsByForm[Form] } = {
  preference: (row) => ({
    row: 3 * row + 1,
    prompt: ids(row, 0, 2 + (row % 2)),
    chosen: ids(row, 1, 3 + (row % 3)),
    rejected: ids(row, 2, 2 + (row % 2)),
    margin: 1 + row / 4,
    online: [{ chosen: ids(row, 3, 2), rejected: ids(row, 4, 3 + (row % 2)), margin: 0.5 }],
  }),
  demonstration: (row) => ({
    row: 3 * row + 1,
    turns: Array.from({ length: 1 + (row % 2) }, (_, turn) => ({
      prompt: ids(row, 2 * turn, 2 + row),
      response: ids(row, 2 * turn + 1, 2 + (row % 3)),
    })),
  }),
  unpaired: (row) => ({
    row: 3 * row + 1,
    prompt: ids(row, 0, 2 + (row % 2)),
    completion: ids(row, 1, 2 + (row % 3)),
    isDesirable: row % 3 !== 1,
    mismatched: ids(row, 2, 3),
  }),
  sampled: (row) => ({
    row: 3 * row + 1,
    prompt: ids(row, 0, 2 + (row % 2)),
    responses: [0, 1, 2].map((response) => {
      const tokens = ids(row, 1 + response, 2 + ((row + response) % 3));
      const reward = ((3 * row + 5 * response) % 7) / 4 - 0.5;
      return { tokens, reward, logprobs: Float32Array.from(tokens, (token, at) => tokenLogprob(token, at) - 1 / 32) };
    }),
  }),
};

const COUNT = 6;

function ids(row: number, part: number, length: number): Int32Array {
  return Int32Array.from({ length }, (_, at) => 5 + ((31 * row + 17 * part + 7 * at) % 89));
}

/** log p of a token under the kit's policy: a multiple of 1/64, so that sums are exact. */
export function tokenLogprob(token: number, position: number): number {
  return -0.5 - ((11 * token + 5 * position) % 64) / 64;
}

/** New rows in the form of the objective, with what a reference says of them where it reads one. */
export function kitRows<Form extends RowForm>(objective: Objective<Form>): ObjectiveRows<RowsByForm[Form]> {
  const make = ROWS[objective.rowForm] as (row: number) => RowsByForm[Form];
  const rows = Array.from({ length: COUNT }, (_, row) => make(row));
  return {
    rows,
    ...(objective.readsReference !== false && { reference: rows.map((row) => referenceOf(objective, row)) }),
  };
}

/** A reference that finds some responses likelier than the policy does, and others less likely. */
function referenceOf<Form extends RowForm>(objective: Objective<Form>, row: RowsByForm[Form]): Float32Array {
  const responses = objective.groupsOf(row).flatMap((group) => group.responses);
  const tokens = responses.map((response) =>
    Array.from(response, (token, at) => tokenLogprob(token, at) + ((token % 5) - 2) / 16),
  );
  if (objective.readsReference === 'tokens') return Float32Array.from(tokens.flat());
  return Float32Array.from(tokens, (values) => values.reduce((sum, value) => sum + value, 0));
}
