import { seedOf, shuffledIndices, uniformOf } from '@metaapo/core/numerics';

/** What the rows of the data set are, with the share of each kind and how many digits its prompts have. */
export const KINDS = {
  /** Short: the policy answers nearly all of them, so that new responses tie. The offline pairs are right. */
  saturated: { share: 0.45, digits: [4, 4] },
  /** Longer: the policy makes mistakes. The offline pairs are the wrong way round. */
  'wrong labels': { share: 0.2, digits: [5, 6] },
  /** Longest: no response of the policy is right. The offline pair is a right answer and one of the policy's. */
  'out of reach': { share: 0.35, digits: [8, 8] },
} as const;

/** A kind of row. */
export type Kind = keyof typeof KINDS;

/** Names of the kinds. */
export const KIND_NAMES = Object.keys(KINDS) as Kind[];

/** A prompt of the sorting task with its kind. */
export interface KindPrompt {
  readonly kind: Kind;
  readonly prompt: string;
}

/** The prompts of a seed, kinds mixed by their shares. */
export function kindPrompts(count: number, seed: number): readonly KindPrompt[] {
  return Array.from({ length: count }, (_, row) => {
    const kind = kindAt(uniformOf(['kind', seed, row]));
    const [least, most] = KINDS[kind].digits;
    const length = least + Math.floor(uniformOf(['length', seed, row]) * (most - least + 1));
    const digits = [...shuffledIndices(10, seedOf(['digits', seed, row]))].slice(0, length);
    return { kind, prompt: `sort ${digits.join(' ')}` };
  });
}

/** The kind into whose part of [0, 1) the number falls. */
function kindAt(uniform: number): Kind {
  let reached = 0;
  for (const name of KIND_NAMES) {
    reached += KINDS[name].share;
    if (uniform < reached) return name;
  }
  return 'out of reach';
}
