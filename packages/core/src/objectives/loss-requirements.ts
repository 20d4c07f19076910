import { MetaapoError, type PreferenceLoss, type TokenizedPreference } from '../contracts/index.js';
import type { RowLogprobs } from '../trainer/index.js';
import { rowWithoutMargin } from './preference-rows.js';

/** What the model of a training gives for a response: a policy's log-probability, or a reward model's reward. */
export type ModelOutput = 'logprobs' | 'rewards';

const WORDS = { logprobs: 'log-probabilities', rewards: 'rewards' } as const;

/**
 * Passes a loss that compares what the model gives.
 * @throws MetaapoError with code `config` for any other
 */
export function checkLossReads({ id, reads = 'logprobs' }: PreferenceLoss, given: ModelOutput): void {
  if (reads === given) return;
  throw new MetaapoError('config', `it compares ${WORDS[reads]}, and this model gives ${WORDS[given]}`, {
    where: `loss ${id}`,
    expected:
      given === 'rewards' ? 'a loss of rewards, such as bradley-terry' : 'a loss of log-probabilities, such as dpo',
    remedy:
      given === 'rewards'
        ? 'Train a policy with metaapo train, or choose another loss'
        : 'Train a reward model with metaapo train-reward, or choose another loss',
  });
}

/**
 * Passes a loss that needs no reference, or has one.
 * @throws MetaapoError with code `config` for any other
 */
export function checkReference(
  { id, isReferenceFree }: PreferenceLoss,
  reference: readonly RowLogprobs[] | undefined,
  rows: string,
): void {
  if (isReferenceFree || reference !== undefined) return;
  throw new MetaapoError('config', `it needs a reference, and there are no reference log-probabilities of ${rows}`, {
    where: `loss ${id}`,
    expected: 'reference log-probabilities, one array a row',
    remedy: 'Compute them with referenceLogprobs, or choose a reference-free loss such as simpo',
  });
}

/**
 * Passes rows of which every pair has a margin.
 * @throws MetaapoError with code `data` for any other
 */
export function checkMargins({ id }: PreferenceLoss, rows: readonly TokenizedPreference[]): void {
  const lacking = rowWithoutMargin(rows);
  if (lacking === undefined) return;
  throw new MetaapoError('data', 'it reads how much better chosen responses are, and a row does not say', {
    where: `loss ${id}, row ${lacking.row} (counted from 0)`,
    expected: 'score_chosen and score_rejected in every row, and of online pairs rewards',
    remedy: 'Add the scores to the data, or choose a loss that reads no margins',
  });
}
