import type { BatchOutcome, Objective, ObjectiveState } from '@metaapo/core/contracts';
import { ConformanceError } from '../conformance-error.js';
import { refusal } from '../refusal.js';
import { type KitPasses, type KitPassOptions, kitPasses, placeName, type TokenPlace } from './kit-passes.js';
import { kitRows } from './kit-rows.js';

/** Seed of every state that the checks make. */
export const SEED = 17;
/** Rows of the checks' batch, not in their order. */
export const BATCH = Int32Array.of(4, 1, 2, 0);

/** The objective's name in messages. */
export const objectiveName = (objective: Objective): string => `objective ${objective.id}`;

/** A batch that was accumulated, with what it did. */
export interface KitBatch extends KitPasses {
  readonly outcome: BatchOutcome;
}

/** Accumulates the checks' batch in a newly opened objective. */
export async function runBatch(
  objective: Objective,
  state: ObjectiveState = objective.initialState(SEED),
  options: KitPassOptions = {},
  indices: Int32Array = BATCH,
): Promise<KitBatch> {
  const kit = kitPasses(options);
  const opened = objective.open({ ...kitRows(objective), passes: kit.passes });
  return { ...kit, outcome: await opened.accumulate(indices, state, 'step 1') };
}

const lossOf = ({ outcome }: KitBatch): number => outcome.metrics.loss!;
const close = (a: number, b: number, tolerance: number): boolean => Math.abs(a - b) <= tolerance * (1 + Math.abs(b));

/**
 * Passes when what it declares is known, and `groupsOf` gives prompts with responses, the same each time.
 * @throws ConformanceError that names the declaration or the row
 */
export async function checkObjectiveDeclarations(objective: Objective): Promise<void> {
  const name = objectiveName(objective);
  const known = {
    trains: ['policy', 'scorer'],
    rowForm: ['preference', 'demonstration', 'unpaired', 'sampled'],
    readsReference: [false, 'sums', 'tokens'],
  } as const;
  for (const [key, values] of Object.entries(known)) {
    const value = objective[key as keyof typeof known];
    if ((values as readonly unknown[]).includes(value)) continue;
    throw new ConformanceError(name, `${key} is ${JSON.stringify(value)}, expected one of ${values.join(', ')}`);
  }
  for (const row of kitRows(objective).rows) {
    const groups = objective.groupsOf(row);
    const isWhole = groups.every(
      ({ prompt, responses }) => prompt.length > 0 && responses.every((ids) => ids.length > 0),
    );
    if (groups.length === 0 || !isWhole)
      throw new ConformanceError(name, `groupsOf gives nothing to compute of row ${row.row}`);
    if (JSON.stringify(groups) !== JSON.stringify(objective.groupsOf(row))) {
      throw new ConformanceError(name, `groupsOf gives another answer the second time, row ${row.row}`);
    }
  }
}

/**
 * Passes when a batch names its rows in order, counts its tokens, has finite metrics with `loss` among them, and trains
 * something of every row.
 * @throws ConformanceError that names what is missing
 */
export async function checkObjectiveOutcome(objective: Objective): Promise<void> {
  const name = objectiveName(objective);
  const { rows } = kitRows(objective);
  const { outcome, trained } = await runBatch(objective);
  const wanted = Array.from(BATCH, (index) => rows[index]!.row);
  if (wanted.join() !== outcome.rows.join()) {
    throw new ConformanceError(
      name,
      `a batch of rows ${wanted.join(', ')} names rows ${outcome.rows.join(', ') || 'none'}`,
    );
  }
  const prompts = new Set(trained.map(({ prompt }) => prompt.join()));
  const forgotten = Array.from(BATCH).find(
    (index) => !objective.groupsOf(rows[index]!).some(({ prompt }) => prompts.has(prompt.join())),
  );
  if (forgotten !== undefined) throw new ConformanceError(name, `it trains nothing of row ${rows[forgotten]!.row}`);
  if (!Number.isInteger(outcome.tokens) || outcome.tokens <= 0) {
    throw new ConformanceError(name, `a batch counts ${outcome.tokens} tokens, expected a whole number above 0`);
  }
  if (outcome.metrics.loss === undefined) throw new ConformanceError(name, 'a batch has no metric loss');
  const bad = Object.entries(outcome.metrics).find(([, value]) => !Number.isFinite(value));
  if (bad !== undefined) throw new ConformanceError(name, `metric ${bad[0]} of a batch is ${bad[1]}`);
}

/**
 * Passes when the gradient that it gives for every response token is that of its loss, by finite differences.
 * @throws ConformanceError with both slopes
 */
export async function checkObjectiveGradient(objective: Objective): Promise<void> {
  const state = objective.initialState(SEED);
  const { gradients, trained } = await runBatch(objective, state);
  const step = 1 / 32;
  for (const { prompt, responses } of trained) {
    for (const response of responses) {
      const place: TokenPlace = { prompt, response, token: response.length - 1 };
      const losses: number[] = [];
      for (const by of [step, -step])
        losses.push(lossOf(await runBatch(objective, state, { moved: { ...place, by } })));
      const slope = (losses[0]! - losses[1]!) / (2 * step);
      const given = gradients.get(placeName(place))!;
      if (Math.abs(slope - given) <= 5e-3 * Math.abs(slope) + 2e-4) continue;
      const where = `token ${place.token} of response ${response.join(' ')}`;
      throw new ConformanceError(
        objectiveName(objective),
        `the gradient of ${where} is ${given}, by finite differences ${slope}`,
      );
    }
  }
}

/**
 * Passes when loss and gradients are the same however the batch is cut, and in whatever order its rows stand.
 * @throws ConformanceError with both values
 */
export async function checkObjectivePieces(objective: Objective): Promise<void> {
  const whole = await runBatch(objective);
  const ways: readonly (readonly [string, KitBatch])[] = [
    ['computed in micro-batches of one group', await runBatch(objective, undefined, { groupsAtOnce: 1 })],
    ['with its rows in another order', await runBatch(objective, undefined, {}, BATCH.toReversed())],
  ];
  for (const [words, other] of ways) {
    const name = objectiveName(objective);
    if (!close(lossOf(other), lossOf(whole), 1e-5)) {
      throw new ConformanceError(name, `a batch ${words} has the loss ${lossOf(other)}, expected ${lossOf(whole)}`);
    }
    for (const [place, gradient] of whole.gradients) {
      const got = other.gradients.get(place);
      if (got !== undefined && close(got, gradient, 1e-5)) continue;
      throw new ConformanceError(name, `a batch ${words} has the gradient ${got} at ${place}, expected ${gradient}`);
    }
  }
}

/**
 * Passes when the same batch gives the same bits again, and rows and state stay as they were.
 * @throws ConformanceError that says what differs
 */
export async function checkObjectivePurity(objective: Objective): Promise<void> {
  const name = objectiveName(objective);
  const kit = kitPasses();
  const rows = kitRows(objective);
  const kept = JSON.stringify(rows);
  const state = objective.initialState(SEED);
  const stateKept = JSON.stringify(state);
  const opened = objective.open({ ...rows, passes: kit.passes });
  const first = await opened.accumulate(BATCH, state, 'step 1');
  const after = first.afterStep?.(1);
  if (JSON.stringify(rows) !== kept) throw new ConformanceError(name, 'it changes its rows');
  if (JSON.stringify(state) !== stateKept)
    throw new ConformanceError(name, 'it changes the state that it was given in place');
  const again = await runBatch(objective, state);
  const metricsOf = ({ metrics }: BatchOutcome): string => JSON.stringify(metrics);
  if (metricsOf(again.outcome) !== metricsOf(first)) {
    throw new ConformanceError(name, 'the same batch and state give other metrics the second time');
  }
  if (JSON.stringify(again.outcome.afterStep?.(1)?.state) !== JSON.stringify(after?.state)) {
    throw new ConformanceError(name, 'the same batch and state give another state the second time');
  }
}

/**
 * Passes when a log-probability that is no number is refused by a MetaapoError with code `numerics`.
 * @throws ConformanceError that says what happened instead
 */
export async function checkObjectiveFinite(objective: Objective): Promise<void> {
  const name = objectiveName(objective);
  const { trained } = await runBatch(objective);
  const { prompt, responses } = trained[0]!;
  const moved = { prompt, response: responses[0]!, token: 0, by: Number.NaN };
  const error = await refusal(name, 'given a log-probability NaN', () => runBatch(objective, undefined, { moved }));
  if (error === undefined) throw new ConformanceError(name, 'it accepts a log-probability NaN');
  if (error.code === 'numerics') return;
  throw new ConformanceError(name, `it refuses a log-probability NaN with code ${error.code}, expected numerics`);
}

/**
 * Passes when an objective that reads a reference refuses rows without one, by a MetaapoError with code `config`.
 * @throws ConformanceError when it takes them
 */
export async function checkObjectiveReference(objective: Objective): Promise<void> {
  if (objective.readsReference === false) return;
  const name = objectiveName(objective);
  const { rows } = kitRows(objective);
  const error = await refusal(name, 'without a reference', () => objective.open({ rows, passes: kitPasses().passes }));
  if (error?.code === 'config') return;
  const got = error === undefined ? 'takes them' : `refuses them with code ${error.code}`;
  throw new ConformanceError(
    name,
    `it declares that it reads a reference, and without one ${got}; expected code config`,
  );
}

/**
 * Passes when held-out rows give finite metrics named `eval_...` without any gradient, the same each time, and no evaluation
 * is offered without them.
 * @throws ConformanceError that says what is wrong
 */
export async function checkObjectiveEvaluation(objective: Objective): Promise<void> {
  const name = objectiveName(objective);
  const rows = kitRows(objective);
  const kit = kitPasses();
  if (objective.open({ ...rows, passes: kit.passes }).evaluate !== undefined) {
    throw new ConformanceError(name, 'it offers an evaluation without held-out rows');
  }
  const { evaluate } = objective.open({ ...rows, passes: kit.passes, heldOut: rows });
  if (evaluate === undefined) throw new ConformanceError(name, 'it does not evaluate held-out rows');
  const state = objective.initialState(SEED);
  const kept = JSON.stringify(state);
  const metrics = await evaluate(state, {});
  if (kit.trained.length > 0) throw new ConformanceError(name, 'an evaluation adds to the gradients');
  if (JSON.stringify(state) !== kept) throw new ConformanceError(name, 'an evaluation changes the state in place');
  const bad = Object.entries(metrics).find(([key, value]) => !key.startsWith('eval_') || !Number.isFinite(value));
  if (bad !== undefined)
    throw new ConformanceError(name, `an evaluation gives ${bad[0]} = ${bad[1]}, expected finite metrics eval_...`);
  if (JSON.stringify(await evaluate(state, {})) !== JSON.stringify(metrics)) {
    throw new ConformanceError(name, 'an evaluation gives other metrics the second time');
  }
}
