import type { PartOutlook, RewardModel, RewardRequest } from '@metaapo/core/contracts';
import {
  askRewardModel,
  deepFrozen,
  definePart,
  MetaapoError,
  parseOptions,
  REWARD_MODEL,
  sumOfOutlooks,
} from '@metaapo/core/contracts';
import { z } from 'zod';
import { allOrNone } from '../all-or-none.js';
import { fingerprintOf } from '../fingerprint.js';

const finite = z.number().min(-1e9).max(1e9);

const memberOptions = {
  weight: finite.describe('Factor of its rewards in the sum; below 0 they count as a penalty.'),
  normalize: z
    .enum(['none', 'standard'])
    .default('none')
    .describe(
      'standard: (reward - `mean`) / `standardDeviation`, both given, so that a reward does not depend on what was scored before.',
    ),
  mean: finite.optional().describe('For `normalize: standard`.'),
  standardDeviation: z.number().min(1e-9).max(1e9).optional().describe('For `normalize: standard`.'),
  clip: z
    .tuple([finite, finite])
    .readonly()
    .optional()
    .describe('Lowest and highest value that counts, after `normalize`; absent: all.'),
};

const memberSchema = z
  .strictObject(memberOptions)
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

/** How a member counts. */
export type EnsembleMemberOptions = z.input<typeof memberSchema>;

/** A reward model of an ensemble, which owns it, and how it counts. */
export type EnsembleMember = EnsembleMemberOptions & { readonly rewardModel: RewardModel };

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
        parts.map(({ rewardModel }) => askRewardModel(rewardModel, requests, either, onUnreadableComparison)),
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

const schema = z.strictObject({
  members: z
    .array(z.strictObject({ rewardModel: z.looseObject({ id: z.string().min(1).max(100) }), ...memberOptions }))
    .min(1)
    .max(64)
    .readonly()
    .describe('Reward models by id with their own options, and how each counts.'),
});

/** Options of the part `ensemble`: reward models by id with their own options, and how each counts. */
export type EnsembleOptions = z.input<typeof schema>;

/** {@link ensemble} as a part. */
export const ensemblePart = definePart({
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
  async inspect({ members }, { inspectPart }) {
    const outlooks: PartOutlook[] = [];
    for (const { rewardModel } of members) outlooks.push((await inspectPart?.(REWARD_MODEL, rewardModel)) ?? {});
    return sumOfOutlooks(outlooks);
  },
});
