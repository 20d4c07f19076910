import type { Metrics, PairArrays, PreferenceLoss, TokenizedPreference } from '../contracts/index.js';
import { meanOf } from './metrics.js';

/** Nats a token that chosen responses may fall below the reference, in the mean over {@link STEPS} steps. */
export const CHOSEN_FALL_BOUND = 0.5;
const STEPS = 10;

/** Mean over pairs of log p - log r of the chosen response, in nats a token; nothing without a reference. */
export function chosenChange(
  { aggregation }: PreferenceLoss,
  { policyChosen, referenceChosen }: PairArrays,
  rows: readonly TokenizedPreference[],
): Metrics {
  if (referenceChosen === undefined) return {};
  const tokens = (index: number): number => (aggregation === 'sum' ? rows[index]!.chosen.length : 1);
  const changes = policyChosen.map((value, index) => (value - referenceChosen[index]!) / tokens(index));
  return { 'logps/chosen_change': meanOf(changes) };
}

/** Watches the steps of a training; gives a warning, once, when chosen responses have fallen beyond the bound. */
export function watchChosenFall(): (metrics: Metrics) => string | undefined {
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
      `Chosen responses have become less likely by ${(-mean).toFixed(2)} nats a token than they were under the ` +
      `reference (mean of ${STEPS} steps; bound ${CHOSEN_FALL_BOUND}). A larger beta, a smaller learning rate, or the ` +
      `loss rpo holds them; docs/chosen-reward-falls.md says when it matters`
    );
  };
}
