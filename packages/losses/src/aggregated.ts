import { MetaapoError, type PreferenceLoss } from '@metaapo/core/contracts';
import type { Tensor1D } from '@tensorflow/tfjs';
import * as tf from '@tensorflow/tfjs';

/** Log-probabilities and lengths of pairs, as tensors or as arrays. */
interface Logprobs<Values> {
  readonly policyChosen: Values;
  readonly policyRejected: Values;
  readonly referenceChosen?: Values | undefined;
  readonly referenceRejected?: Values | undefined;
  readonly chosenTokens?: Values | undefined;
  readonly rejectedTokens?: Values | undefined;
}

/** Multiplies or divides log-probabilities by numbers of tokens. */
type Scale<Values> = (values: Values, tokens: Values, operation: 'multiply' | 'divide') => Values;

/** {@link Scale} of tensors `[B]`. */
export const scaleTensor: Scale<Tensor1D> = (values, tokens, operation) =>
  operation === 'divide' ? tf.div(values, tokens) : tf.mul(values, tokens);

/** {@link Scale} of arrays `[B]`. */
export const scaleArray: Scale<Float32Array> = (values, tokens, operation) =>
  values.map((value, at) => (operation === 'divide' ? value / tokens[at]! : value * tokens[at]!));

/**
 * The log-probabilities that one loss is given, as another takes them: sums become means, or means sums.
 * @throws MetaapoError with code `config` when numbers of tokens are needed for that and missing
 */
export function aggregated<Values, Given extends Logprobs<Values>>(
  logprobs: Given,
  given: PreferenceLoss,
  wanted: PreferenceLoss,
  scale: Scale<Values>,
): Given {
  if (given.aggregation === wanted.aggregation) return logprobs;
  const { policyChosen, policyRejected, referenceChosen, referenceRejected, chosenTokens, rejectedTokens } = logprobs;
  if (chosenTokens === undefined || rejectedTokens === undefined) throw noTokens(given, wanted);
  const operation = wanted.aggregation === 'mean' ? 'divide' : 'multiply';
  return {
    ...logprobs,
    policyChosen: scale(policyChosen, chosenTokens, operation),
    policyRejected: scale(policyRejected, rejectedTokens, operation),
    ...(referenceChosen && { referenceChosen: scale(referenceChosen, chosenTokens, operation) }),
    ...(referenceRejected && { referenceRejected: scale(referenceRejected, rejectedTokens, operation) }),
  };
}

function noTokens(given: PreferenceLoss, wanted: PreferenceLoss): MetaapoError {
  return new MetaapoError('config', 'the numbers of response tokens are missing', {
    where: 'loss weighted-sum',
    expected: 'chosenTokens and rejectedTokens, [B] each',
    got: `${given.aggregation}s for ${given.id}, and ${wanted.id} takes ${wanted.aggregation}s`,
    remedy: 'Give them beside the log-probabilities, as the trainer does',
  });
}
