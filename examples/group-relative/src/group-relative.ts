import {
  deepFrozen,
  type GroupReading,
  MetaapoError,
  type Objective,
  type ObjectiveInput,
  type ObjectiveRows,
  parseOptions,
  type RewardedResponse,
  type SampledRow,
  type TrainingObjective,
} from '@metaapo/core/contracts';
import { z } from 'zod';

/** Options of {@link groupRelative}. */
export const groupRelativeOptions = z.strictObject({
  clip: z.number().positive().max(1).default(0.2).describe('How far the ratio to the sampling policy counts, epsilon'),
  beta: z
    .number()
    .min(0)
    .default(0)
    .describe('Weight of the divergence from the reference, a token; 0 needs no reference'),
  advantage: z
    .enum(['normalized', 'centred'])
    .default('normalized')
    .describe('Rewards less their mean over the responses to a prompt, divided by their deviation or not'),
});

/** Options with every default filled in. */
export type GroupRelativeSettings = z.output<typeof groupRelativeOptions>;

/**
 * A group-relative policy gradient (Shao et al. 2024, arXiv 2402.03300, equation 3): over the tokens of all responses to a
 * prompt, with advantages A = (reward - mean) / deviation within the prompt's responses,
 *
 *     -min(ratio A, clip(ratio, 1 - epsilon, 1 + epsilon) A) + beta (exp(d) - d - 1),   d = log reference - log p
 *
 * ratio = p(token) / p(token when it was sampled). Means over tokens, then responses, then prompts. Tokens that were not
 * drawn, such as an end that a stop text stands for, have no ratio and do not count.
 * @throws MetaapoError with code `config` for an option that is unknown or out of bounds
 */
export function groupRelative(options: z.input<typeof groupRelativeOptions> = {}): Objective<'sampled'> {
  const settings = parseOptions('objective group-relative', groupRelativeOptions, options);
  return {
    id: 'group-relative',
    options: settings,
    trains: 'policy',
    rowForm: 'sampled',
    readsReference: settings.beta > 0 ? 'tokens' : false,
    groupsOf: (row) => [groupOf(row)],
    trainedRows(rows) {
      for (const row of rows) checkSampled(row);
      return rows.filter(({ responses }) => responses.length > 1);
    },
    initialState: () => deepFrozen({ numbers: {}, arrays: {} }),
    open: (input) => openSampled(settings, input),
  };
}

const groupOf = ({ prompt, responses }: SampledRow) => ({ prompt, responses: responses.map(({ tokens }) => tokens) });

function checkSampled({ row, responses }: SampledRow): void {
  if (responses.every(({ logprobs }) => logprobs !== undefined)) return;
  throw new MetaapoError('data', 'a response has no log-probabilities of its tokens as they were sampled', {
    where: `objective group-relative, row ${row}`,
    remedy: 'Choose a sampler that gives them, such as local',
  });
}

function openSampled(settings: GroupRelativeSettings, input: ObjectiveInput<SampledRow>): TrainingObjective {
  const { passes, heldOut } = input;
  const isReferenceMissing = [input, heldOut].some((rows) => rows !== undefined && rows.reference === undefined);
  if (settings.beta > 0 && isReferenceMissing) {
    throw new MetaapoError('config', 'beta is above 0, and there is no reference', {
      where: 'objective group-relative',
    });
  }
  return {
    async accumulate(indices, _state, where) {
      const rows = Array.from(indices, (index) => input.rows[index]!);
      const reference = Array.from(indices, (index) => input.reference?.[index]);
      const values: RowValues[] = [];
      await passes.forwardBackward(
        rows.map(groupOf),
        (readings, { start }) => {
          const pieces = readings.map((reading, at) =>
            ofRow(settings, rows[start + at]!, reading, reference[start + at]),
          );
          checkFinite(pieces, rows.slice(start), where);
          values.push(...pieces);
          const share = (slopes: Float32Array): Float32Array => slopes.map((slope) => slope / rows.length);
          return { perToken: pieces.map(({ slopes }) => slopes.map(share)) };
        },
        { tokenLogprobs: true },
      );
      return {
        metrics: metricsOf(values),
        rows: rows.map(({ row }) => row),
        tokens: rows.reduce((sum, row) => sum + tokensOf(row), 0),
      };
    },
    evaluate:
      heldOut &&
      (async (_state, controls) => {
        const readings = await passes.read(heldOut.rows.map(groupOf), { ...controls, tokenLogprobs: true });
        const values = readings.map((reading, at) =>
          ofRow(settings, heldOut.rows[at]!, reading, heldOut.reference?.[at]),
        );
        checkFinite(values, heldOut.rows, 'the evaluation');
        return Object.fromEntries(Object.entries(metricsOf(values)).map(([name, value]) => [`eval_${name}`, value]));
      }),
  };
}

const tokensOf = ({ prompt, responses }: SampledRow): number =>
  responses.reduce((sum, { tokens }) => sum + prompt.length + tokens.length, 0);

/** What the objective says of a row; means over its responses. */
interface RowValues {
  readonly loss: number;
  /** Share of the tokens whose ratio is clipped. */
  readonly clipped: number;
  /** Divergence from the reference in nats a token. */
  readonly kl: number;
  readonly reward: number;
  /** d loss / d log p of every token, `[tokens]` a response. */
  readonly slopes: readonly Float32Array[];
}

function ofRow(
  settings: GroupRelativeSettings,
  { responses }: SampledRow,
  { tokenLogprobs }: GroupReading,
  reference: Float32Array | undefined,
): RowValues {
  const advantages = advantagesOf(settings, responses);
  let at = 0;
  const each = responses.map((response, index) => {
    at += response.tokens.length;
    const ofReference = reference?.subarray(at - response.tokens.length, at);
    return ofResponse(settings, response, tokenLogprobs![index]!, advantages[index]!, ofReference);
  });
  const mean = (read: (value: Omit<RowValues, 'slopes' | 'reward'>) => number): number =>
    each.reduce((sum, value) => sum + read(value), 0) / each.length;
  return {
    loss: mean(({ loss }) => loss),
    clipped: mean(({ clipped }) => clipped),
    kl: mean(({ kl }) => kl),
    reward: responses.reduce((sum, { reward }) => sum + reward, 0) / responses.length,
    slopes: each.map(({ slopes }) => slopes.map((slope) => slope / each.length)),
  };
}

function advantagesOf({ advantage }: GroupRelativeSettings, responses: readonly RewardedResponse[]): readonly number[] {
  const mean = responses.reduce((sum, { reward }) => sum + reward, 0) / responses.length;
  const variance = responses.reduce((sum, { reward }) => sum + (reward - mean) ** 2, 0) / responses.length;
  const scale = advantage === 'centred' ? 1 : Math.sqrt(variance) + 1e-4;
  return responses.map(({ reward }) => (reward - mean) / scale);
}

function ofResponse(
  { clip, beta }: GroupRelativeSettings,
  { logprobs }: RewardedResponse,
  tokenLogprobs: Float32Array,
  advantage: number,
  reference: Float32Array | undefined,
) {
  const slopes = new Float32Array(tokenLogprobs.length);
  let [loss, clipped, kl] = [0, 0, 0];
  const drawn = [...tokenLogprobs.keys()].filter((token) => !Number.isNaN(logprobs![token]!));
  for (const token of drawn) {
    const ratio = Math.exp(tokenLogprobs[token]! - logprobs![token]!);
    const bounded = Math.min(1 + clip, Math.max(1 - clip, ratio));
    const isFree = ratio * advantage <= bounded * advantage;
    const distance = reference === undefined ? 0 : reference[token]! - tokenLogprobs[token]!;
    const divergence = Math.exp(distance) - distance - 1;
    loss += -(isFree ? ratio : bounded) * advantage + beta * divergence;
    slopes[token] = ((isFree ? -ratio * advantage : 0) + beta * (1 - Math.exp(distance))) / drawn.length;
    clipped += isFree ? 0 : 1;
    kl += divergence;
  }
  const count = Math.max(1, drawn.length);
  return { loss: loss / count, clipped: clipped / count, kl: kl / count, slopes };
}

function metricsOf(values: readonly RowValues[]) {
  const mean = (read: (value: RowValues) => number): number =>
    values.reduce((sum, value) => sum + read(value), 0) / values.length;
  return {
    loss: mean(({ loss }) => loss),
    'policy/clipped': mean(({ clipped }) => clipped),
    'policy/kl': mean(({ kl }) => kl),
    'rewards/mean': mean(({ reward }) => reward),
  };
}

function checkFinite(values: readonly RowValues[], rows: ObjectiveRows<SampledRow>['rows'], where: string): void {
  const bad = values.findIndex(({ loss }) => !Number.isFinite(loss));
  if (bad < 0) return;
  throw new MetaapoError('numerics', 'the loss is not finite', {
    where,
    got: `${values[bad]!.loss} in row ${rows[bad]!.row}`,
    remedy: 'Lower the learning rate, or look at this row',
  });
}
