/** Names of all metrics of a training step, with what they mean. TRL's names where TRL has one. */
export const TRAINING_METRICS = {
  loss: 'mean loss of the batch: over its pairs, or in fine-tuning over its response tokens',
  grad_norm: 'Euclidean norm of all gradients, before clipping',
  learning_rate: 'learning rate of the step',
  epoch: 'epochs done after the step',
  num_tokens: 'tokens seen since the start, prompts counted once a response',
  'rewards/chosen': 'mean implicit reward of chosen responses',
  'rewards/rejected': 'mean implicit reward of rejected responses',
  'rewards/accuracies': 'share of pairs whose chosen reward is strictly the larger',
  'rewards/margins': 'mean of chosen minus rejected reward',
  'logps/chosen': "mean log-probability of chosen responses, sums or means over tokens as the loss's aggregation says",
  'logps/rejected': 'the same of rejected responses',
  'logps/chosen_change':
    'mean of log p - log reference of chosen responses, in nats a token; without a reference, against the mean of the first 10 steps',
  'time/step_s': 'seconds of the step',
  'meta/weight_mean': "mean of the meta-learner's weights w over rows with an online pair",
  'meta/loss': 'loss of the meta-learner, on the step after which it was updated',
  'loss/offline': 'mean loss of offline pairs, unweighted',
  'loss/online': 'mean loss of online pairs, unweighted',
  kl: 'estimate of the KL divergence of policy from reference, on responses to other prompts, at least 0; in KTO',
  perplexity: 'exponential of the loss in fine-tuning; of held-out rows only',
} as const;

/** A name of the table. */
export type TrainingMetricName = keyof typeof TRAINING_METRICS;

/** Metrics whose names are those of the table, or with `eval_` before them of held-out rows. */
export type TrainingMetrics = { readonly [Name in TrainingMetricName | `eval_${TrainingMetricName}`]?: number };

/** The same metrics of held-out rows. */
export function heldOutMetrics(metrics: { readonly [Name in TrainingMetricName]?: number }): TrainingMetrics {
  return Object.fromEntries(Object.entries(metrics).map(([name, value]) => [`eval_${name}`, value]));
}
