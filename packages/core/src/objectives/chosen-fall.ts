import type { Metrics, PairArrays, PreferenceLoss } from '../contracts/index.js';
import type { TrainingMetrics } from '../trainer/index.js';
import { meanOf } from './pair-metrics.js';

/** Nats a token that chosen responses may fall, in the mean over {@link STEPS} steps. */
export const CHOSEN_FALL_BOUND = 0.5;
const STEPS = 10;

/** Mean log-probability a token of chosen responses over the first steps of a run: where a loss without reference starts. */
export interface ChosenStart {
  /** Steps that the mean is taken over, at most {@link STEPS}. */
  readonly steps: number;
  readonly mean: number;
}

/** Mean over pairs of the log-probability of the chosen response, less `reference` where it is given, in nats a token. */
function chosenPerToken({ aggregation }: PreferenceLoss, arrays: PairArrays, reference?: Float32Array): number {
  const tokens = (index: number): number => (aggregation === 'sum' ? arrays.chosenTokens![index]! : 1);
  return meanOf(arrays.policyChosen.map((value, index) => (value - (reference?.[index] ?? 0)) / tokens(index)));
}

/** How far chosen responses are from the reference, or without one from the start of the run, in nats a token. */
export function chosenChange(loss: PreferenceLoss, arrays: PairArrays, start?: ChosenStart | undefined) {
  const { referenceChosen } = arrays;
  if (referenceChosen !== undefined) {
    return { 'logps/chosen_change': chosenPerToken(loss, arrays, referenceChosen) } satisfies TrainingMetrics;
  }
  if (start?.steps !== STEPS) return {};
  return { 'logps/chosen_change': chosenPerToken(loss, arrays) - start.mean } satisfies TrainingMetrics;
}

/** The start of the run with one more step in it, until it is complete; nothing where there is a reference. */
export function nextChosenStart(
  loss: PreferenceLoss,
  arrays: PairArrays,
  { steps, mean }: ChosenStart = { steps: 0, mean: 0 },
): ChosenStart | undefined {
  if (arrays.referenceChosen !== undefined) return undefined;
  if (steps === STEPS) return { steps, mean };
  return { steps: steps + 1, mean: (mean * steps + chosenPerToken(loss, arrays)) / (steps + 1) };
}

/** Watches the steps of a training; gives a warning, once, when chosen responses have fallen beyond the bound. */
export function watchChosenFall({ isReferenceFree }: PreferenceLoss): (metrics: Metrics) => string | undefined {
  const recent: number[] = [];
  let hasWarned = false;
  return ({ 'logps/chosen_change': change }) => {
    if (change === undefined || hasWarned) return undefined;
    recent.push(change);
    if (recent.length > STEPS) recent.shift();
    const mean = meanOf(recent);
    if (recent.length < STEPS || mean >= -CHOSEN_FALL_BOUND) return undefined;
    hasWarned = true;
    return (
      `Chosen responses have become less likely by ${(-mean).toFixed(2)} nats a token than they were ` +
      `${isReferenceFree ? 'when the run began' : 'under the reference'} (mean of ${STEPS} steps; bound ` +
      `${CHOSEN_FALL_BOUND}). ${isReferenceFree ? 'A smaller learning rate' : 'A larger beta, a smaller learning rate'}, ` +
      `or a term on their likelihood (the loss rpo, or nll in a weighted sum) holds them; docs/chosen-reward-falls.md ` +
      `says when it matters`
    );
  };
}
