import type { MetaBuffer, MetaLearner, MetaLearnerState } from '@metaapo/core/contracts';
import { definePart, META_LEARNER, parseOptions } from '@metaapo/core/contracts';
import { z } from 'zod';
import { checkBuffer, checkFeatures, lowerLossOutcomes, metaObjective } from './meta-objective.js';
import { refuseOtherArrays, requireArray, scalarArray, vectorArray } from './state-arrays.js';

const schema = z
  .strictObject({
    bins: z
      .int()
      .min(2)
      .max(10_000)
      .optional()
      .describe(
        'Intervals with edges at quantiles of the first buffer, 8 where neither this nor edges are given. More follow finer changes and need more rows.',
      ),
    edges: z
      .array(z.number().min(-1e6).max(1e6))
      .min(1)
      .max(10_000)
      .refine((edges) => edges.every((edge, at) => at === 0 || edge > edges[at - 1]!), 'edges must ascend')
      .readonly()
      .optional()
      .describe('Inner edges on x in place of quantiles; n edges make n + 1 intervals.'),
    rate: z
      .number()
      .min(1e-6)
      .max(1)
      .default(0.02)
      .describe('Share of an estimate that one row replaces; 0.02 remembers about 50 rows.'),
    prior: z.number().min(0).max(1).default(0.5).describe('Weight of an interval before its first row.'),
  })
  .refine(({ bins, edges }) => bins === undefined || edges === undefined, {
    path: ['bins'],
    message: 'give either bins or edges: n edges make n + 1 bins',
  });

/** Options of {@link binned}. */
export type BinnedOptions = z.input<typeof schema>;

const DEFAULT_BINS = 8;

/** A state, taken apart; borrowed. */
interface BinnedState {
  readonly edges: Float32Array;
  readonly estimates: Float32Array;
  readonly updates: number;
}

/**
 * One weight for each interval of x = logsigmoid(s): an estimate of how often the offline pair has the lower loss there.
 *
 * The objective mean(w L_off + (1 - w) L_on) is linear in w, so the best weight of one row is y = 1 where
 * L_off < L_on, 0 where L_off > L_on, and 0.5 where they are equal. An update moves the estimate of each bin by
 *
 *     w <- w + (1 - (1 - rate)^n) (mean(y) - w),   n: rows of the buffer in the bin
 *
 * which is n steps of an exponential moving average whose order does not matter. A bin without rows keeps its estimate.
 * Quantile edges come from the first buffer and then stay, so that an estimate keeps its meaning. x on an edge belongs
 * to the bin above it.
 *
 * State: `edges [bins - 1]`, `estimates [bins]`, `updates [1]`.
 * @throws MetaapoError with code `config` for an option that is unknown or out of bounds
 */
export function binned(options: BinnedOptions = {}): MetaLearner {
  const settings = parseOptions('meta-learner binned', schema, options);
  const bins = settings.edges === undefined ? (settings.bins ?? DEFAULT_BINS) : settings.edges.length + 1;
  const learner: MetaLearner = {
    id: 'binned',
    options: settings,
    initialState: () => ({
      edges: vectorArray(Float32Array.from(settings.edges ?? new Float32Array(bins - 1))),
      estimates: vectorArray(new Float32Array(bins).fill(settings.prior)),
      updates: scalarArray(0),
    }),
    weights: (state, features) => {
      checkFeatures('binned', features);
      return weightsAt(readState(state, bins), features.logSigmoidScore);
    },
    update: (state, buffer) => {
      checkBuffer('binned', buffer);
      const before = readState(state, bins);
      const loss = metaObjective(weightsAt(before, buffer.logSigmoidScore), buffer);
      const isFirst = settings.edges === undefined && before.updates === 0;
      const edges = isFirst ? quantileEdges(buffer.logSigmoidScore, bins) : before.edges;
      return { state: writeState(moved({ ...before, edges }, buffer, settings.rate)), loss };
    },
  };
  return Object.freeze(learner);
}

function readState(state: MetaLearnerState, bins: number): BinnedState {
  refuseOtherArrays('binned', state, ['edges', 'estimates', 'updates']);
  return {
    edges: requireArray('binned', state, 'edges', [bins - 1]),
    estimates: requireArray('binned', state, 'estimates', [bins]),
    updates: requireArray('binned', state, 'updates', [1])[0]!,
  };
}

function writeState({ edges, estimates, updates }: BinnedState): MetaLearnerState {
  return { edges: vectorArray(edges), estimates: vectorArray(estimates), updates: scalarArray(updates) };
}

function weightsAt({ edges, estimates }: BinnedState, scores: Float32Array): Float32Array {
  return scores.map((x) => estimates[binOf(x, edges)]!);
}

function binOf(x: number, edges: Float32Array): number {
  const above = edges.findIndex((edge) => x < edge);
  return above < 0 ? edges.length : above;
}

function moved(before: BinnedState, buffer: MetaBuffer, rate: number): BinnedState {
  const counts = new Float64Array(before.estimates.length);
  const sums = new Float64Array(before.estimates.length);
  lowerLossOutcomes(buffer).forEach((outcome, row) => {
    const bin = binOf(buffer.logSigmoidScore[row]!, before.edges);
    counts[bin]! += 1;
    sums[bin]! += outcome;
  });
  const estimates = before.estimates.map((w, bin) => {
    const count = counts[bin]!;
    return count === 0 ? w : w + (1 - (1 - rate) ** count) * (sums[bin]! / count - w);
  });
  return { edges: before.edges, estimates, updates: before.updates + 1 };
}

/** Inner quantiles k / bins of the values, interpolated between neighbours. */
function quantileEdges(values: Float32Array, bins: number): Float32Array {
  const sorted = values.toSorted();
  return Float32Array.from({ length: bins - 1 }, (_, at) => {
    const position = ((at + 1) / bins) * (sorted.length - 1);
    const below = Math.floor(position);
    const next = sorted[Math.min(below + 1, sorted.length - 1)]!;
    return sorted[below]! + (position - below) * (next - sorted[below]!);
  });
}

/** {@link binned} as a part. */
export const binnedPart = definePart({
  slot: META_LEARNER,
  id: 'binned',
  summary: 'One running estimate for each interval of the score: how often the offline pair has the lower loss.',
  options: schema,
  create: binned,
});
