import { z } from 'zod';
import { flag, type RawConfig, type Refuse } from '../architectures/fields.js';
import { openCheckpoint } from './open-checkpoint.js';

/** Where and how the owner of a reward model reads its score. */
export interface RewardHead {
  /** transformers: at the last token that is no padding. OpenRLHF: at the last token, which its trainer makes the end token. */
  readonly owner: 'transformers' | 'openrlhf';
  /** Name of the head's tensor in the files. */
  readonly tensor: string;
  /** What OpenRLHF takes off a score and divides it by; absent where it does not. */
  readonly normalisation?: { readonly mean: number; readonly std: number } | undefined;
}

/** Fields of config.json that OpenRLHF writes of a reward model. */
export const REWARD_FIELDS = ['value_head_prefix', 'normalize_reward', 'mean', 'std'] as const;

const MEAN = 'mean';
const STD = 'std';

const number = (expected: string, accepts: (value: number) => boolean) =>
  z.custom<number>((value) => typeof value === 'number' && Number.isFinite(value) && accepts(value), {
    error: expected,
  });

const fields = {
  value_head_prefix: z
    .string({ error: 'a name' })
    .regex(/^[\w-]+$/, { error: 'a name of letters' })
    .nullish(),
  normalize_reward: flag().nullish(),
  mean: number('a number', () => true).nullish(),
  std: number('a number above 0', (value) => value > 0).nullish(),
} as const;

/**
 * The head of a reward model by its class and by what OpenRLHF adds to config.json; `undefined` for a language model,
 * which has none, whatever prefix it names.
 * @param className of `architectures`; absent where it names none
 */
export function rewardHead(raw: RawConfig, className: string | undefined, refuse: Refuse): RewardHead | undefined {
  if (className?.endsWith('CriticModel')) refuse('architectures', 'a reward model or a language model', className);
  const isClassifier = className?.endsWith('ForSequenceClassification') === true;
  if (!isClassifier && !isOfOpenrlhf(raw, className)) return undefined;
  const stated = z.object(fields).safeParse(raw);
  if (!stated.success) {
    const [issue] = stated.error.issues;
    const field = String(issue!.path[0]);
    return refuse(field, issue!.message, raw[field]);
  }
  const { value_head_prefix: prefix, normalize_reward: isNormalised, mean, std } = stated.data;
  const tensor = `${prefix ?? 'score'}.weight`;
  if (!REWARD_FIELDS.some((field) => (raw[field] ?? undefined) !== undefined) && isClassifier) {
    return { owner: 'transformers', tensor };
  }
  const normalisation = isNormalised === true ? { mean: mean ?? 0, std: std ?? 1 } : undefined;
  return { owner: 'openrlhf', tensor, normalisation };
}

/** Names of the class that OpenRLHF has given its reward models. */
const OPENRLHF_CLASS = /(RewardModel|ForSequenceRegression)$/;

function isOfOpenrlhf(raw: RawConfig, className: string | undefined): boolean {
  if (className !== undefined && OPENRLHF_CLASS.test(className)) return true;
  const [prefix, ...others] = REWARD_FIELDS.map((field) => (raw[field] ?? undefined) !== undefined);
  return others.some(Boolean) || (prefix === true && className?.endsWith('ForCausalLM') !== true);
}

/** Tensors of one number that may lie beside the weights of OpenRLHF's reward models. */
export const NORMALISATION_TENSORS: readonly string[] = [MEAN, STD];

/**
 * A head of OpenRLHF as the weights have it: the mean and the deviation that lie beside them have the last word, and a head
 * that config.json does not name has one of the two usual names.
 */
export async function asStored(head: RewardHead, directory: string): Promise<RewardHead> {
  const { shapes, read, close } = await openCheckpoint(directory);
  try {
    const [tensor = head.tensor] = [head.tensor, ...USUAL_HEADS].filter((name) => shapes.has(name));
    if (head.normalisation === undefined) return { ...head, tensor };
    const stored = async (name: string, stated: number): Promise<number> =>
      String(shapes.get(name)) === '1' ? (await read(name))[0]! : stated;
    const { mean, std } = head.normalisation;
    return { ...head, tensor, normalisation: { mean: await stored(MEAN, mean), std: await stored(STD, std) } };
  } finally {
    await close();
  }
}

const USUAL_HEADS = ['score.weight', 'value_head.weight'];

/** A head that is normalised, or is not, whatever config.json says. */
export function normalisedHead(
  head: RewardHead,
  { mean, std }: RawConfig,
  isNormalised: boolean | undefined,
): RewardHead {
  if (isNormalised === undefined || head.owner !== 'openrlhf') return head;
  if (!isNormalised) return { ...head, normalisation: undefined };
  return {
    ...head,
    normalisation: { mean: typeof mean === 'number' ? mean : 0, std: typeof std === 'number' ? std : 1 },
  };
}
