import type { LossState, MetaLearnerState, ObjectiveState, StateArray } from '../contracts/index.js';
import type { ChosenStart } from './chosen-fall.js';
import { type BufferedRows, emptyBuffer } from './meta-buffer.js';

/** What preference learning remembers from step to step. */
export interface PreferenceMemory {
  /** Of a meta-learner that keeps arrays; empty otherwise. */
  readonly metaLearner: MetaLearnerState;
  readonly metaBuffer: BufferedRows;
  /** Optimizer steps since the last time that the meta-learner's turn had come. */
  readonly metaSteps: number;
  /** What the loss remembers, where it remembers anything. */
  readonly lossState?: LossState | undefined;
  /** How likely chosen responses were at the start of the run, where no reference tells. */
  readonly chosenStart?: ChosenStart | undefined;
}

const META_STEPS = 'meta/steps';

/** The same as numbers and arrays. */
export function stateOf(memory: PreferenceMemory): ObjectiveState {
  const { metaLearner, metaBuffer, metaSteps, lossState, chosenStart } = memory;
  return {
    numbers: {
      ...prefixed('loss', lossState ?? {}),
      ...prefixed('chosen-start', { ...chosenStart }),
      ...(metaSteps > 0 && { [META_STEPS]: metaSteps }),
    },
    arrays: { ...prefixed('meta-learner', metaLearner), ...prefixed('buffer', bufferArrays(metaBuffer)) },
  };
}

/** What a state holds. */
export function memoryOf({ numbers, arrays }: ObjectiveState): PreferenceMemory {
  const lossState = below('loss', numbers);
  const { steps, mean } = below('chosen-start', numbers) ?? {};
  return {
    metaLearner: below('meta-learner', arrays) ?? {},
    metaBuffer: bufferFrom(below('buffer', arrays) ?? {}),
    metaSteps: numbers[META_STEPS] ?? 0,
    lossState,
    chosenStart: steps === undefined ? undefined : { steps, mean: mean! },
  };
}

function prefixed<Value>(prefix: string, values: Readonly<Record<string, Value>>): Record<string, Value> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [`${prefix}/${name}`, value]));
}

/** Entries below a prefix, without it; `undefined` where there are none. */
function below<Value>(
  prefix: string,
  values: Readonly<Record<string, Value>>,
): Readonly<Record<string, Value>> | undefined {
  const found = Object.entries(values).filter(([name]) => name.startsWith(`${prefix}/`));
  if (found.length === 0) return undefined;
  return Object.fromEntries(found.map(([name, value]) => [name.slice(prefix.length + 1), value]));
}

function bufferArrays(buffer: BufferedRows): Readonly<Record<string, StateArray>> {
  if (buffer.logSigmoidScore.length === 0) return {};
  return Object.fromEntries(
    Object.entries(buffer).flatMap(([name, values]): [string, StateArray][] =>
      values === undefined ? [] : [[name, { shape: [values.length], values: Float32Array.from(values) }]],
    ),
  );
}

function bufferFrom(arrays: Readonly<Partial<Record<keyof BufferedRows, StateArray>>>): BufferedRows {
  const { logSigmoidScore, offlineLoss, onlineLoss, chosenTokens, rejectedTokens } = arrays;
  if (logSigmoidScore === undefined) return emptyBuffer();
  return {
    logSigmoidScore: logSigmoidScore.values,
    offlineLoss: offlineLoss!.values,
    onlineLoss: onlineLoss!.values,
    chosenTokens: Int32Array.from(chosenTokens!.values),
    rejectedTokens: Int32Array.from(rejectedTokens!.values),
    chosenEntropy: arrays.chosenEntropy?.values,
    rejectedEntropy: arrays.rejectedEntropy?.values,
  };
}
