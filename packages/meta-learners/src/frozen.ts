import type { MetaLearner } from '@metaapo/core/contracts';
import { definePart, META_LEARNER, parseOptions } from '@metaapo/core/contracts';
import { z } from 'zod';
import { checkBuffer, metaObjective } from './meta-objective.js';
import { layersOf, networkOptions, networkWeights } from './mlp.js';
import { initialParameters, parameterArrays } from './mlp-state.js';

const schema = z.strictObject(networkOptions('reference'));

/** Options of {@link frozen}: those of the network of an `mlp`. */
export type FrozenOptions = z.input<typeof schema>;

/**
 * The network of `mlp`, never updated: weights that were learned before, or the reference code's first ones.
 *
 * A recipe names the learned state by `init: FILE.safetensors`; in code, give a saved state of an `mlp` to `weights`.
 * Without either, `init` says which untrained parameters serve, by default those of the reference code.
 * @throws MetaapoError with code `config` for an option that is unknown or out of bounds
 */
export function frozen(options: FrozenOptions = {}): MetaLearner {
  const settings = parseOptions('meta-learner frozen', schema, options);
  const layers = layersOf(settings);
  const weights = networkWeights('frozen', layers, settings.features);
  const learner: MetaLearner = {
    id: 'frozen',
    options: settings,
    isFixed: true,
    readsEntropy: settings.features.includes('entropy'),
    initialState: (seed) => parameterArrays(initialParameters(settings.init, layers, seed), layers),
    weights,
    update: (state, buffer) => {
      checkBuffer('frozen', buffer);
      return { state, loss: metaObjective(weights(state, buffer), buffer) };
    },
  };
  return Object.freeze(learner);
}

/** {@link frozen} as a part. */
export const frozenPart = definePart({
  slot: META_LEARNER,
  id: 'frozen',
  summary: 'A network that was trained before and stays as it is.',
  options: schema,
  create: frozen,
});
