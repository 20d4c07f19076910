import type { PartDefinition, RewardModel, RewardRequest } from '@metaapo/core/contracts';
import { deepFrozen, definePart, MetaapoError, parseOptions, REWARD_MODEL } from '@metaapo/core/contracts';
import { z } from 'zod';
import { allOrNone } from '../all-or-none.js';
import { fingerprintOf } from '../fingerprint.js';

/** How a member counts. */
export interface EnsembleMemberOptions {
  /** Factor of its rewards in the sum; below 0 they count as a penalty. */
  readonly weight: number;
  /**
   * `standard`: (reward - `mean`) / `standardDeviation`, both given, so that a reward does not depend on what was scored
   * before; default `none`.
   */
  readonly normalize?: 'none' | 'standard' | undefined;
  readonly mean?: number | undefined;
  /** Above 0. */
  readonly standardDeviation?: number | undefined;
  /** Lowest and highest value that counts, after `normalize`; default all. */
  readonly clip?: readonly [low: number, high: number] | undefined;
}

/** A reward model of an ensemble, which owns it, and how it counts. */
export interface EnsembleMember extends EnsembleMemberOptions {
  readonly rewardModel: RewardModel;
}

const memberSchema = z
  .strictObject({
    weight: z.number(),
    normalize: z.enum(['none', 'standard']).default('none'),
    mean: z.number().optional(),
    standardDeviation: z.number().positive().optional(),
    clip: z.tuple([z.number(), z.number()]).readonly().optional(),
  })
  .superRefine(({ normalize, mean, standardDeviation, clip }, context) => {
    for (const [option, value] of Object.entries({ mean, standardDeviation })) {
      if ((value !== undefined) === (normalize === 'standard')) continue;
      const message = value === undefined ? 'normalize: standard needs it' : 'it is for normalize: standard alone';
      context.addIssue({ code: 'custom', path: [option], message });
    }
    if (clip !== undefined && clip[0] >= clip[1]) {
      context.addIssue({ code: 'custom', path: ['clip'], message: 'the low end has to be below the high one' });
    }
  });

type MemberSettings = z.output<typeof memberSchema>;

/**
 * Rewards by several reward models: the sum of `weight` * clip(normalize(reward)) over the members, in float64. NaN where
 * a member gives NaN. All members score at once; disposing it disposes them.
 * @throws MetaapoError with code `config` for no members or an option that is not accepted; when it scores, what a
 * member throws, and with code `numerics` for a sum that float32 does not hold
 */
export function ensemble(members: readonly EnsembleMember[]): RewardModel {
  if (members.length === 0) {
    throw new MetaapoError('config', 'it has no members', { where: 'reward model ensemble', expected: 'at least one' });
  }
  const parts = members.map(({ rewardModel, ...options }, at) => ({
    rewardModel,
    settings: parseOptions(`reward model ensemble, member ${at} (${rewardModel.id})`, memberSchema, options),
  }));
  const listed = parts.map(({ rewardModel: { id, options }, settings }) => ({ id, ...settings, options }));
  return {
    id: 'ensemble',
    options: deepFrozen(structuredClone({ members: listed })),
    fingerprint: fingerprintOf(
      'ensemble',
      parts.map(({ rewardModel, settings }) => [rewardModel.fingerprint, settings]),
    ),
    isRelative: parts.some(({ rewardModel }) => rewardModel.isRelative === true),
    async score(requests: readonly RewardRequest[], signal?: AbortSignal, onUnreadableComparison?: () => void) {
      const rewards = await allOrNone(signal, (either) =>
        parts.map(({ rewardModel }) => rewardModel.score(requests, either, onUnreadableComparison)),
      );
      return Float32Array.from(requests, (_, row) =>
        checkedSum(
          parts.map(({ settings }, member) => weighted(rewards[member]![row]!, settings)),
          row,
        ),
      );
    },
    async dispose() {
      for (const { rewardModel } of parts) await rewardModel.dispose?.();
    },
  };
}

function weighted(reward: number, { weight, normalize, mean, standardDeviation, clip }: MemberSettings): number {
  const value = normalize === 'standard' ? (reward - mean!) / standardDeviation! : reward;
  return weight * (clip === undefined ? value : Math.min(Math.max(value, clip[0]), clip[1]));
}

function checkedSum(values: readonly number[], row: number): number {
  const sum = values.reduce((total, value) => total + value, 0);
  if (Number.isNaN(sum) ? values.some(Number.isNaN) : Number.isFinite(Math.fround(sum))) return sum;
  throw new MetaapoError('numerics', 'the sum of the rewards is not finite', {
    where: `reward model ensemble, request ${row}`,
    got: values.join(', '),
    remedy: 'Clip or normalize its members',
  });
}

/** Options of the part `ensemble`: reward models by id with their own options, and how each counts. */
export interface EnsembleOptions {
  readonly members: readonly (EnsembleMemberOptions & {
    readonly rewardModel: { readonly id: string; readonly [option: string]: unknown };
  })[];
}

const schema = z.strictObject({
  members: z.array(z.looseObject({ rewardModel: z.looseObject({ id: z.string() }), weight: z.number() })).min(1),
});

/** {@link ensemble} as a part. */
export const ensemblePart: PartDefinition<RewardModel, EnsembleOptions> = definePart<RewardModel, EnsembleOptions>({
  slot: REWARD_MODEL,
  id: 'ensemble',
  summary: 'A weighted sum of other reward models.',
  options: schema,
  async create({ members }, { makePart }) {
    if (makePart === undefined) {
      throw new MetaapoError('config', 'it is made of other parts, and none can be made here', {
        where: 'reward model ensemble',
        remedy: 'Use composeRun, or the factory ensemble',
      });
    }
    const made: EnsembleMember[] = [];
    try {
      for (const { rewardModel, ...options } of members) {
        made.push({ rewardModel: await makePart(REWARD_MODEL, rewardModel), ...options });
      }
      return ensemble(made);
    } catch (error) {
      for (const { rewardModel } of made) await rewardModel.dispose?.();
      throw error;
    }
  },
});
