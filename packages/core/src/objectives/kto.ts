import { z } from 'zod';
import {
  deepFrozen,
  MetaapoError,
  type Objective,
  type ObjectiveInput,
  type ObjectiveRows,
  type PromptGroup,
  parseOptions,
  type TokenizedUnpaired,
  type TrainingObjective,
} from '../contracts/index.js';
import { heldOutMetrics, type TrainingMetrics } from '../trainer/index.js';
import { checkLosses } from './pair-losses.js';
import { meanOf } from './pair-metrics.js';

/** Options of {@link kto}. */
export const ktoOptions = z.strictObject({
  beta: z
    .number()
    .min(1e-6)
    .max(1000)
    .default(0.1)
    .describe('Risk aversion and reward scale, usually 0.01 to 0.5: how far the policy may move from the reference.'),
  desirableWeight: z
    .number()
    .min(0)
    .max(1000)
    .default(1)
    .describe('Weight of desirable responses, lambda_D, usually 0.5 to 2: larger pulls them up harder.'),
  undesirableWeight: z
    .number()
    .min(0)
    .max(1000)
    .default(1)
    .describe('Weight of undesirable responses, lambda_U, usually 0.5 to 2: larger pushes them down harder.'),
});

/** Options of {@link kto} with every default filled in. */
export type KtoSettings = z.output<typeof ktoOptions>;

/**
 * Kahneman-Tversky optimisation over judged responses without partners: the mean over the batch of
 *
 *     lambda_y (1 - sigmoid(s beta (r - z))),   s = +1 desirable, -1 undesirable
 *
 * r = log p - log reference of the response, sums over tokens; z = max(0, mean of the same over the batch's mismatched
 * responses), without gradient: the estimate of KL(policy || reference). One half of its weight where r = z.
 *
 * Ethayarajh et al. 2024, arXiv 2402.01306, equations 7 and 8. Differs from TRL's KTOTrainer: z is estimated over the whole
 * batch of an optimizer step and not over a micro-batch, so that micro-batches change no number; and in evaluations over all
 * held-out rows.
 * @throws MetaapoError with code `config` for an option that is unknown or out of bounds
 */
export function kto(options: z.input<typeof ktoOptions> = {}): Objective<'unpaired'> {
  const settings = parseOptions('objective kto', ktoOptions, options);
  return {
    id: 'kto',
    options: settings,
    trains: 'policy',
    rowForm: 'unpaired',
    readsReference: 'sums',
    groupsOf: (row) => [completionGroup(row), mismatchedGroup(row)],
    initialState: () => deepFrozen({ numbers: {}, arrays: {} }),
    open: (input) => openUnpaired(settings, input),
  };
}

const completionGroup = ({ prompt, completion }: TokenizedUnpaired): PromptGroup => ({
  prompt,
  responses: [completion],
});
const mismatchedGroup = ({ prompt, mismatched }: TokenizedUnpaired): PromptGroup => ({
  prompt,
  responses: [mismatched],
});

type Rows = ObjectiveRows<TokenizedUnpaired>;

function openUnpaired(settings: KtoSettings, input: ObjectiveInput<TokenizedUnpaired>): TrainingObjective {
  const { passes, heldOut } = input;
  for (const rows of [input, ...(heldOut === undefined ? [] : [heldOut])]) checkReference(rows);
  const divergenceOf = async (rows: Rows, controls = {}): Promise<number> => {
    const readings = await passes.read(rows.rows.map(mismatchedGroup), controls);
    return Math.max(0, meanOf(readings.map(({ values }, index) => values[0]! - rows.reference![index]![1]!)));
  };
  return {
    async accumulate(indices, _state, where) {
      const batch = selectRows(input, indices);
      const kl = await divergenceOf(batch);
      const values: JudgedValues[] = [];
      await passes.forwardBackward(batch.rows.map(completionGroup), (readings, { start, end }) => {
        const piece = { rows: batch.rows.slice(start, end), reference: batch.reference!.slice(start, end) };
        const judged = readings.map((reading, index) => judge(settings, piece, index, reading.values[0]!, kl));
        values.push(...judged);
        checkJudged(judged, piece.rows, where);
        return { perResponse: judged.map(({ slope }) => Float32Array.of(slope / batch.rows.length)) };
      });
      return {
        metrics: { ...metricsOf(values, batch.rows), kl },
        rows: batch.rows.map(({ row }) => row),
        tokens: batch.rows.reduce((sum, { prompt, completion }) => sum + prompt.length + completion.length, 0),
      };
    },
    evaluate:
      heldOut &&
      (async (_state, { progress, signal }) => {
        const total = 2 * heldOut.rows.length;
        const kl = await divergenceOf(heldOut, { progress: (done: number) => progress?.(done, total), signal });
        const readings = await passes.read(heldOut.rows.map(completionGroup), {
          progress: (done) => progress?.(heldOut.rows.length + done, total),
          signal,
        });
        const judged = readings.map(({ values }, index) => judge(settings, heldOut, index, values[0]!, kl));
        checkJudged(judged, heldOut.rows, 'the evaluation');
        return heldOutMetrics({ ...metricsOf(judged, heldOut.rows), kl });
      }),
    warnings: imbalance(settings, input.rows),
  };
}

function selectRows({ rows, reference }: Rows, indices: Int32Array): Rows {
  const pick = <Item>(items: readonly Item[]): Item[] => Array.from(indices, (index) => items[index]!);
  return { rows: pick(rows), reference: pick(reference!) };
}

/** What the loss says of a response. */
interface JudgedValues {
  readonly loss: number;
  /** d loss / d log p of the response. */
  readonly slope: number;
  /** beta times the log-ratio. */
  readonly reward: number;
  readonly logprob: number;
}

function judge(
  { beta, desirableWeight, undesirableWeight }: KtoSettings,
  { rows, reference }: Rows,
  index: number,
  logprob: number,
  kl: number,
): JudgedValues {
  const { isDesirable } = rows[index]!;
  const ratio = logprob - reference![index]![0]!;
  const [sign, weight] = isDesirable ? [1, desirableWeight] : [-1, undesirableWeight];
  // 1 - sigmoid(x), which keeps its digits where x is large.
  const missed = 1 / (1 + Math.exp(sign * beta * (ratio - kl)));
  return {
    loss: weight * missed,
    slope: -weight * sign * beta * missed * (1 - missed),
    reward: beta * ratio,
    logprob,
  };
}

function checkJudged(judged: readonly JudgedValues[], rows: readonly TokenizedUnpaired[], where: string): void {
  const losses = Float32Array.from(judged, ({ loss }) => loss);
  checkLosses(
    losses,
    rows.map(({ row }) => row),
    where,
  );
}

/** Metrics of judged responses; those of a label that no row has are left out. */
function metricsOf(judged: readonly JudgedValues[], rows: readonly TokenizedUnpaired[]) {
  const [chosen, rejected] = [true, false].map((label) =>
    judged.filter((_, index) => rows[index]!.isDesirable === label),
  );
  const mean = (values: readonly JudgedValues[], name: keyof JudgedValues): number =>
    meanOf(values.map((value) => value[name]));
  const [hasChosen, hasRejected] = [chosen!.length > 0, rejected!.length > 0];
  return {
    loss: mean(judged, 'loss'),
    ...(hasChosen && { 'rewards/chosen': mean(chosen!, 'reward'), 'logps/chosen': mean(chosen!, 'logprob') }),
    ...(hasRejected && { 'rewards/rejected': mean(rejected!, 'reward'), 'logps/rejected': mean(rejected!, 'logprob') }),
    ...(hasChosen && hasRejected && { 'rewards/margins': mean(chosen!, 'reward') - mean(rejected!, 'reward') }),
  } satisfies TrainingMetrics;
}

function checkReference({ reference }: Rows): void {
  if (reference !== undefined) return;
  throw new MetaapoError('config', 'it compares with a reference, and there are no reference log-probabilities', {
    where: 'objective kto',
    expected: 'reference log-probabilities, one array a row',
    remedy: 'Compute them with referenceLogprobs',
  });
}

/** Says when the weights do not balance the labels: the paper wants a ratio of 1 to 4/3 (section 4.2). */
function imbalance({ desirableWeight, undesirableWeight }: KtoSettings, rows: readonly TokenizedUnpaired[]) {
  const desirable = rows.filter(({ isDesirable }) => isDesirable).length;
  const undesirable = rows.length - desirable;
  if (desirable === 0 || undesirable === 0) {
    return [`all ${rows.length} rows have the same label, so KTO learns from one side alone`];
  }
  const ratio = (desirableWeight * desirable) / (undesirableWeight * undesirable);
  if (ratio >= 1 && ratio <= 4 / 3) return [];
  const balanced = (undesirableWeight * undesirable) / desirable;
  return [
    `${desirable} desirable and ${undesirable} undesirable rows weigh ${ratio.toFixed(2)} to 1; KTO is known to work from ` +
      `1 to 1.33. Set desirableWeight from ${balanced.toFixed(2)} to ${((balanced * 4) / 3).toFixed(2)}`,
  ];
}
