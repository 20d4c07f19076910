import type { MetaFeatures, MetaLearner } from '@metaapo/core/contracts';
import { checkBuffer, metaObjective } from './meta-objective.js';
import { refuseOtherArrays } from './state-arrays.js';

/** A meta-learner whose weights are a function that never changes; it has no state. */
export function fixedWeights(
  id: string,
  options: MetaLearner['options'],
  weightsOf: (features: MetaFeatures) => Float32Array,
): MetaLearner {
  const learner: MetaLearner = {
    id,
    options,
    isFixed: true,
    initialState: () => ({}),
    weights: (state, features) => {
      refuseOtherArrays(id, state, []);
      return weightsOf(features);
    },
    update: (state, buffer) => {
      refuseOtherArrays(id, state, []);
      checkBuffer(id, buffer);
      return { state, loss: metaObjective(weightsOf(buffer), buffer) };
    },
  };
  return Object.freeze(learner);
}
