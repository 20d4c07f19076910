import * as tf from '@tensorflow/tfjs';
import { z } from 'zod';
import type { CatalogueLoss } from './define-loss.js';
import { defineLoss } from './define-loss.js';
import { logRatios, margin, scaledRewards } from './margins.js';
import { betaOption } from './shared-options.js';

const schema = z.strictObject({
  beta: betaOption({
    default: 1e-3,
    usual: [5e-4, 0.1],
    description: 'Smaller sets the targets +-1 / (2 beta) further away and makes every gradient larger.',
    defaultFrom: 'paper (eta 1e3)',
  }),
});

/** Options of {@link sppo}. */
export type SppoOptions = z.input<typeof schema>;

/** Everything that is constant about {@link sppo}. */
export const sppoEntry = defineLoss({
  id: 'sppo',
  summary: 'Regresses the chosen log-ratio to +1 / (2 beta) and the rejected one to -1 / (2 beta).',
  gradient: 'Linear in the distance of each log-ratio from its own target, so the chosen one has to rise by itself.',
  use: 'Rounds of self-play in which the winner should become likelier, not just the loser less likely.',
  trl: 'DPOTrainer `sppo_hard`',
  formula: '(r_c - 1 / (2 beta))^2 + (r_j + 1 / (2 beta))^2',
  publications: [
    {
      authors: 'Wu et al.',
      title: 'Self-Play Preference Optimization for Language Model Alignment',
      year: 2024,
      arxiv: '2405.00675',
    },
  ],
  aggregation: 'sum',
  isReferenceFree: false,
  options: schema,
  evaluate: (logprobs, { beta }) => {
    const ratios = logRatios(logprobs, 'sppo');
    const target = 1 / (2 * beta);
    const chosenError = tf.square(tf.sub(ratios.chosen, target));
    const rejectedError = tf.square(tf.add(ratios.rejected, target));
    return { perPair: tf.add(chosenError, rejectedError), score: margin(ratios), ...scaledRewards(ratios, beta) };
  },
});

/**
 * Self-play preference optimisation with hard labels (chosen wins with probability 1): each log-ratio is regressed to
 * its own target, so the chosen one must rise and not just stay above the rejected one.
 *
 *     perPair = (r_c - 1 / (2 beta))^2 + (r_j + 1 / (2 beta))^2
 *
 * beta = 1 / eta. `score` is r_c - r_j.
 * Differs from the paper: the win rate of each response is 1 or 0 instead of an estimate from several judgements.
 *
 * Wu et al. 2024, arXiv 2405.00675.
 * @throws MetaapoError with code `config` for an option that is unknown or out of bounds.
 */
export function sppo(options: SppoOptions = {}): CatalogueLoss {
  return sppoEntry.create(options);
}
