import type { MetaBuffer, MetaLearner, MetaLearnerState, MetaUpdate } from '@metaapo/core/contracts';
import { definePart, META_LEARNER, parseOptions } from '@metaapo/core/contracts';
import { z } from 'zod';
import type { AdamwSlot } from './adamw.js';
import { adamwStep, clipFactor } from './adamw.js';
import type { FeatureName } from './feature-columns.js';
import { columnCount, FEATURES, featureColumns } from './feature-columns.js';
import { checkBuffer, checkFeatures, metaObjective } from './meta-objective.js';
import { mlpGradient, mlpWeights } from './mlp-network.js';
import type { MlpSizes, MlpState } from './mlp-state.js';
import { eachParameter, initialParameters, readMlpState, writeMlpState, zerosLike } from './mlp-state.js';

/** Options of the network alone; `init` is where it starts unless told otherwise. */
export const networkOptions = (init: 'seed' | 'reference') => ({
  hidden: z
    .int()
    .min(1)
    .max(65_536)
    .default(100)
    .describe('Hidden units H. The paper found that larger networks overfit.'),
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
 * A two-layer network that is trained by AdamW: the meta-learner of the method.
 *
 *     w = h(x) = sigmoid(w2 tanh(w1 x + b1) + b2),   x = logsigmoid(s)
 *
 * One update is one AdamW step on mean(w * L_off + (1 - w) * L_on) over the whole buffer, with the gradient through w
 * only. Where the online pair has the lower loss w falls, where the offline pair has it w rises. Arithmetic is float64,
 * every stored value float32.
 *
 * State: `w1 [H, F]`, `b1 [H]`, `w2 [1, H]`, `b2 [1]`, the moments `moment1/w1` and so on, and the counter `step [1]`;
 * the four parameters alone are a state too, with moments and counter 0.
 *
 * MetaAPO, arXiv 2509.23371, equation 7.
 * Differs from the reference code: float32 and not bfloat16, seeded random start unless `init` is `reference`.
 * @throws MetaapoError with code `config` for an option that is unknown or out of bounds
 */
export function mlp(options: MlpOptions = {}): MetaLearner {
  const settings = parseOptions('meta-learner mlp', schema, options);
  const sizes = { hidden: settings.hidden, columns: columnCount(settings.features) };
  return Object.freeze({
    id: 'mlp',
    options: settings,
    readsEntropy: settings.features.includes('entropy'),
    initialState: (seed: number): MetaLearnerState => {
      const parameters = initialParameters(settings.init, sizes, seed);
      const zeros = { moment1: zerosLike(parameters), moment2: zerosLike(parameters), step: 0 };
      return writeMlpState({ parameters, ...zeros }, sizes);
    },
    weights: networkWeights('mlp', sizes, settings.features),
    update: (state: MetaLearnerState, buffer: MetaBuffer) => update(settings, sizes, state, buffer),
  });
}

/** The function `weights` of a meta-learner that is such a network. */
export function networkWeights(
  learner: string,
  sizes: MlpSizes,
  features: readonly FeatureName[],
): MetaLearner['weights'] {
  return (state, rows) => {
    checkFeatures(learner, rows);
    const { parameters } = readMlpState(learner, state, sizes);
    return mlpWeights(parameters, featureColumns(learner, rows, features));
  };
}

function update(settings: MlpSettings, sizes: MlpSizes, state: MetaLearnerState, buffer: MetaBuffer): MetaUpdate {
  checkBuffer('mlp', buffer);
  const before = readMlpState('mlp', state, sizes);
  const input = featureColumns('mlp', buffer, settings.features);
  const loss = metaObjective(mlpWeights(before.parameters, input), buffer);
  return { state: writeMlpState(trained(settings, before, input, buffer), sizes), loss };
}

function trained(settings: MlpSettings, before: MlpState, input: Float32Array, buffer: MetaBuffer): MlpState {
  const gradient = mlpGradient(before.parameters, input, buffer);
  const { maxGradNorm, learningRate, adamBetas: betas } = settings;
  const factor = maxGradNorm === false ? 1 : clipFactor(Object.values(gradient), maxGradNorm);
  const step = before.step + 1;
  const slots = eachParameter((name): AdamwSlot => {
    const slot = { value: before.parameters[name], moment1: before.moment1[name], moment2: before.moment2[name] };
    const weightDecay = name.startsWith('w') ? settings.weightDecay : 0;
    const clipped = gradient[name].map((g) => g * factor);
    return adamwStep(slot, clipped, step, { learningRate, weightDecay, betas });
  });
  const take = (field: keyof AdamwSlot): MlpState['parameters'] => eachParameter((name) => slots[name][field]);
  return { parameters: take('value'), moment1: take('moment1'), moment2: take('moment2'), step };
}

/** {@link mlp} as a part. */
export const mlpPart = definePart({
  slot: META_LEARNER,
  id: 'mlp',
  summary: 'Two-layer network trained by AdamW on the meta objective; the method’s own.',
  options: schema,
  create: mlp,
});
