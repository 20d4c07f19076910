import type { LogprobGradient, OptimizerStep, PromptGroup } from '@metaapo/core/contracts';
import type { Datum, PassRequest, TokenField, Wire } from '../wire/wire.js';
import type { ServerRules } from './server-rules.js';

/** Groups with the gradient for them; everything is borrowed, nothing is copied. */
export interface WeightedGroups {
  readonly groups: readonly PromptGroup[];
  readonly gradient: LogprobGradient;
}

/** An optimizer step: gradients, and what AdamW makes of them. */
export interface Update {
  readonly passes: readonly WeightedGroups[];
  readonly step: OptimizerStep;
}

/** What a pass is asked to compute. */
export type Loss = Pick<PassRequest, 'lossName' | 'lossConfig' | 'isForwardOnly'>;

/** A pass that gives log-probabilities and adds nothing up. */
export const READING: Loss = { lossName: 'cross_entropy', isForwardOnly: true };

/** Data of a pass whose log-probabilities are read. */
export function readingData(groups: readonly PromptGroup[]): Datum[] {
  return groups.flatMap(({ prompt, responses }) =>
    responses.map((response) => ({ prompt, response, fields: { weights: { scale: 1 } } })),
  );
}

/**
 * The pass whose gradient is exactly d loss / d log p = g. Where the service adds up -weight * log p, the weight is -g. Where
 * it takes means, so that weights of a sequence cancel, g goes into the advantages of CISPO (arXiv 2506.13585, equation 4),
 * -ratio * advantage * log p with a ratio that is clipped to 1, times what the service will divide by: the T tokens of the
 * sequence, and the sequences of the update.
 */
export function updateLoss({ reduction }: ServerRules): Loss {
  if (reduction === 'sum') return { lossName: 'cross_entropy', isForwardOnly: false };
  return { lossName: 'cispo', lossConfig: { clip_low_threshold: 1, clip_high_threshold: 1 }, isForwardOnly: false };
}

/** Number of sequences of an update. */
export function sequencesOf({ passes }: Update): number {
  return passes.reduce(
    (sum, { groups }) => sum + groups.reduce((inner, { responses }) => inner + responses.length, 0),
    0,
  );
}

/** Data of the passes of an update, one after another, with its gradients in the form that the service takes. */
export function* updateData(update: Update, { reduction }: ServerRules): Generator<Datum> {
  const all = sequencesOf(update);
  for (const { groups, gradient } of update.passes) {
    let index = 0;
    let token = 0;
    for (const { prompt, responses } of groups) {
      for (const response of responses) {
        const own = gradientAt(gradient, index, token, response.length);
        const fields: Record<string, TokenField> =
          reduction === 'sum'
            ? { weights: scaled(own, -1) }
            : { weights: { scale: 1 }, logprobs: { scale: 0 }, advantages: scaled(own, -response.length * all) };
        yield { prompt, response, fields };
        index += 1;
        token += response.length;
      }
    }
  }
}

function gradientAt(gradient: LogprobGradient, index: number, token: number, length: number): number | Float32Array {
  if ('perResponse' in gradient) return gradient.perResponse[index]!;
  return gradient.perToken.subarray(token, token + length);
}

function scaled(gradient: number | Float32Array, factor: number): TokenField {
  return typeof gradient === 'number' ? { scale: gradient * factor } : { scale: factor, values: gradient };
}

/** True where no gradient of an update is infinite or NaN. */
export function isFiniteUpdate({ passes }: Update): boolean {
  return passes.every(({ gradient }) =>
    ('perResponse' in gradient ? gradient.perResponse : gradient.perToken).every(Number.isFinite),
  );
}

/** Most data, and bytes of them, of one request. */
export interface ChunkLimits {
  readonly data: number;
  readonly bytes: number;
}

/** Data in as few requests as the limits allow, in their order. */
export function* chunksOf(data: Iterable<Datum>, wire: Wire, limits: ChunkLimits): Generator<readonly Datum[]> {
  let chunk: Datum[] = [];
  let bytes = 0;
  for (const datum of data) {
    const size = wire.sizeOf(datum);
    if (chunk.length > 0 && (chunk.length >= limits.data || bytes + size > limits.bytes)) {
      yield chunk;
      chunk = [];
      bytes = 0;
    }
    chunk.push(datum);
    bytes += size;
  }
  if (chunk.length > 0) yield chunk;
}
