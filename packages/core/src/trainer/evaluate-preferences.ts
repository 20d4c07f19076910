import type { Metrics, PreferenceLoss, TokenizedPreference, TrainableModel } from '../contracts/index.js';
import { chosenChange } from './chosen-fall.js';
import { meanOf, pairMetrics } from './metrics.js';
import { rowObjective } from './objective.js';
import { evaluateRows, type RowLogprobs, type RowProgress } from './response-logprobs.js';

/** Held-out rows with the reference's log-probabilities of them. */
export interface EvaluationSet {
  readonly rows: readonly TokenizedPreference[];
  readonly reference?: readonly RowLogprobs[] | undefined;
}

/** Loss and rewards of the offline pairs of held-out rows, with names that begin with `eval_`. */
export async function evaluatePreferences(
  model: TrainableModel,
  loss: PreferenceLoss,
  set: EvaluationSet,
  microBatchTokens: number,
  options: { readonly progress?: RowProgress | undefined; readonly signal?: AbortSignal | undefined } = {},
): Promise<Metrics> {
  const policy = await evaluateRows(model, set.rows, microBatchTokens, options);
  const { values } = await rowObjective(loss, { ...set, policy }, undefined, 1 / set.rows.length, 'the evaluation');
  const { offline, offlineArrays, perRow } = values;
  const metrics = {
    loss: meanOf(perRow),
    ...pairMetrics(offline, offlineArrays),
    ...chosenChange(loss, offlineArrays),
  };
  return Object.fromEntries(Object.entries(metrics).map(([name, value]) => [`eval_${name}`, value]));
}
