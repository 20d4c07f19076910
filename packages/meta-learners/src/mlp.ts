import type { MetaBuffer, MetaLearner, MetaLearnerState, MetaUpdate } from '@metaapo/core/contracts';
import { definePart, META_LEARNER, parseOptions } from '@metaapo/core/contracts';
import { z } from 'zod';
import type { AdamwSlot } from './adamw.js';
import { adamwStep, clipFactor } from './adamw.js';
import type { FeatureName } from './feature-columns.js';
import { columnCount, FEATURES, featureColumns } from './feature-columns.js';
import { checkBuffer, checkFeatures, metaObjective } from './meta-objective.js';
import { type MlpGradient, type MlpLayers, type MlpParameters, mlpGradient, mlpWeights } from './mlp-network.js';
import type { MlpState } from './mlp-state.js';
import { eachParameter, initialParameters, readMlpState, writeMlpState, zeroParameters } from './mlp-state.js';

/** Options of the network alone; `init` is where it starts unless told otherwise. */
export const networkOptions = (init: 'seed' | 'reference') => ({
  hidden: z
    .union([z.int().min(1).max(65_536), z.array(z.int().min(1).max(512)).min(1).max(4).readonly()])
    .default(100)
    .describe('Hidden units H of one layer, or of several. The paper found that larger networks overfit.'),
  init: z
    .enum(['seed', 'reference'])
    .default(init)
    .describe(
      'seed: small random values, w within 0.02 of 0.5 at every score. reference: the constants of the reference code, w from 0.01 (s = -5) to 0.5.',
    ),
  features: z
    .array(z.enum(FEATURES))
    .min(1)
    .max(FEATURES.length)
    .refine((names) => new Set(names).size === names.length, 'a feature is named twice')
    .readonly()
    .default(['score'])
    .describe('What the network looks at; the score alone is the method’s own.'),
});

const memory = z.number().min(0).lt(1);

const schema = z
  .strictObject({
    learningRate: z
      .number()
      .gt(0)
      .max(10)
      .default(5e-3)
      .meta({ description: 'Step size of AdamW. Larger follows the last buffer faster.', usual: [1e-4, 1e-2] }),
    weightDecay: z
      .number()
      .min(0)
      .max(1000)
      .default(1e-4)
      .describe('Decoupled decay of the matrices. Larger pulls w towards 0.5.'),
    maxGradNorm: z
      .union([z.number().gt(0).max(1e9), z.literal(false)])
      .default(1)
      .describe('Largest common norm of the gradient, or no limit. Smaller tames outliers.'),
    adamBetas: z
      .tuple([memory, memory])
      .readonly()
      .default([0.9, 0.999])
      .describe('Memory of the two moments of AdamW. Larger remembers longer.'),
    ...networkOptions('seed'),
  })
  .refine(({ learningRate, weightDecay }) => learningRate * weightDecay <= 1, {
    path: ['weightDecay'],
    message: 'times the learning rate it is above 1: an update would turn the signs of the matrices',
  });

/** Options of {@link mlp}. */
export type MlpOptions = z.input<typeof schema>;

type MlpSettings = Readonly<z.output<typeof schema>>;

/**
 * A network of one hidden layer, or several, that is trained by AdamW: the meta-learner of the method.
 *
 *     w = h(x) = sigmoid(w2 tanh(w1 x + b1) + b2),   x = logsigmoid(s)
 *
 * One update is one AdamW step on mean(w * L_off + (1 - w) * L_on) over the whole buffer, with the gradient through w
 * only. Where the online pair has the lower loss w falls, where the offline pair has it w rises. Arithmetic is float64,
 * every stored value float32.
 *
 * Several hidden layers follow one another, each with its tanh.
 *
 * State: `w1 [H, F]`, `b1 [H]`, `w2 [1, H]`, `b2 [1]` and so on by layers, the moments `moment1/w1` and so on, and the counter `step [1]`;
 * the parameters alone are a state too, with moments and counter 0.
 *
 * MetaAPO, arXiv 2509.23371, equation 7.
 * Differs from the reference code: float32 and not bfloat16, seeded random start unless `init` is `reference`.
 * @throws MetaapoError with code `config` for an option that is unknown or out of bounds
 */
export function mlp(options: MlpOptions = {}): MetaLearner {
  const settings = parseOptions('meta-learner mlp', schema, options);
  const layers = layersOf(settings);
  return Object.freeze({
    id: 'mlp',
    options: settings,
    readsEntropy: settings.features.includes('entropy'),
    initialState: (seed: number): MetaLearnerState => {
      const parameters = initialParameters(settings.init, layers, seed);
      const zeros = { moment1: zeroParameters(layers), moment2: zeroParameters(layers), step: 0 };
      return writeMlpState({ parameters, ...zeros }, layers);
    },
    weights: networkWeights('mlp', layers, settings.features),
    update: (state: MetaLearnerState, buffer: MetaBuffer) => update(settings, layers, state, buffer),
  });
}

/** Units of each layer of the network that options describe. */
export function layersOf({ hidden, features }: Pick<MlpSettings, 'hidden' | 'features'>): MlpLayers {
  return [columnCount(features), ...(typeof hidden === 'number' ? [hidden] : hidden), 1];
}

/** The function `weights` of a meta-learner that is such a network. */
export function networkWeights(
  learner: string,
  layers: MlpLayers,
  features: readonly FeatureName[],
): MetaLearner['weights'] {
  return (state, rows) => {
    checkFeatures(learner, rows);
    const { parameters } = readMlpState(learner, state, layers);
    return mlpWeights(parameters, layers, featureColumns(learner, rows, features));
  };
}

function update(settings: MlpSettings, layers: MlpLayers, state: MetaLearnerState, buffer: MetaBuffer): MetaUpdate {
  checkBuffer('mlp', buffer);
  const before = readMlpState('mlp', state, layers);
  const input = featureColumns('mlp', buffer, settings.features);
  const loss = metaObjective(mlpWeights(before.parameters, layers, input), buffer);
  return {
    state: writeMlpState(
      trained(settings, before, mlpGradient(before.parameters, layers, input, buffer), layers),
      layers,
    ),
    loss,
  };
}

function trained(settings: MlpSettings, before: MlpState, gradient: MlpGradient, layers: MlpLayers): MlpState {
  const { maxGradNorm, learningRate, adamBetas: betas } = settings;
  const factor = maxGradNorm === false ? 1 : clipFactor(Object.values(gradient), maxGradNorm);
  const step = before.step + 1;
  const slots = eachParameter(layers, (name): AdamwSlot => {
    const slot = { value: before.parameters[name]!, moment1: before.moment1[name]!, moment2: before.moment2[name]! };
    const weightDecay = name.startsWith('w') ? settings.weightDecay : 0;
    const clipped = gradient[name]!.map((g) => g * factor);
    return adamwStep(slot, clipped, step, { learningRate, weightDecay, betas });
  });
  const take = (field: keyof AdamwSlot): MlpParameters => eachParameter(layers, (name) => slots[name]![field]);
  return { parameters: take('value'), moment1: take('moment1'), moment2: take('moment2'), step };
}

/** {@link mlp} as a part. */
export const mlpPart = definePart({
  slot: META_LEARNER,
  id: 'mlp',
  summary: 'A small network trained by AdamW on the meta objective; the method’s own.',
  options: schema,
  create: mlp,
});
