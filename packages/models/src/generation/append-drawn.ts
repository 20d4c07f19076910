import type { TokenChoice } from '@metaapo/core/contracts';
import { uniformOf } from '@metaapo/core/numerics';
import type { Session } from '@metaapo/engine';
import * as tf from '@tensorflow/tfjs';
import type { PassConfig } from '../transformer/transformer-config.js';
import { type DrawnTokens, drawByKernel, drawTokens, isUnfiltered, penalizeRepetition } from './next-tokens.js';
import type { RunningSequence } from './schedule.js';

/** What drawing needs of a model: the session has the program `draw` where the config names its kernel. */
export interface DrawingOptions {
  readonly session: Session;
  readonly config: PassConfig;
}

/** Draws a token for each row of the logits and appends it to a sequence that has not left; the logits are disposed. */
export async function appendDrawn(
  options: DrawingOptions,
  sequences: readonly RunningSequence[],
  logits: tf.Tensor2D,
): Promise<void> {
  try {
    await drawAndAppend(options, sequences, logits);
  } finally {
    logits.dispose();
  }
}

async function drawAndAppend(
  options: DrawingOptions,
  sequences: readonly RunningSequence[],
  logits: tf.Tensor2D,
): Promise<void> {
  for (const { choice, indices } of byChoice(sequences)) {
    const isAll = indices.length === sequences.length;
    const part = isAll ? logits : tf.tidy(() => tf.gather(logits, tf.tensor1d(indices, 'int32')));
    const drawing = indices.map((index) => sequences[index]!);
    const drawn = await drawFor(options, drawing, choice, part).finally(() => {
      if (!isAll) part.dispose();
    });
    for (const [at, index] of indices.entries()) {
      const sequence = sequences[index]!;
      if (sequence.hasLeft) continue;
      sequence.tokens.push(drawn.tokens[at]!);
      sequence.logprobs.push(drawn.logprobs[at]!);
      sequence.pending.request.onToken?.(sequence.sample, sequence.tokens);
    }
  }
}

/** A token for each row of the logits, which are borrowed, by the sequences' own random numbers. */
async function drawFor(
  { session, config }: DrawingOptions,
  sequences: readonly RunningSequence[],
  choice: TokenChoice,
  logits: tf.Tensor2D,
): Promise<DrawnTokens> {
  const uniforms = Float32Array.from(sequences, ({ pending, sample, tokens }) =>
    uniformOf(['token', pending.request.seed, sample, tokens.length]),
  );
  const penalized = await penalizedOf(logits, sequences, choice);
  const isPlain = penalized === undefined && isUnfiltered(choice);
  if (isPlain && config.kernels.has('Draw')) return drawByKernel(session, logits, uniforms);
  return drawTokens(logits, choice, uniforms, penalized).finally(() => penalized?.dispose());
}

/** Logits with the penalty on tokens that are there already; none where nothing is penalised. */
async function penalizedOf(
  logits: tf.Tensor2D,
  sequences: readonly RunningSequence[],
  { repetitionPenalty }: TokenChoice,
): Promise<tf.Tensor2D | undefined> {
  if (repetitionPenalty === undefined || repetitionPenalty === 1) return undefined;
  const present = sequences.map(({ pending, tokens }) => [...pending.request.prompt, ...tokens]);
  return penalizeRepetition(logits, present, repetitionPenalty);
}

/** The sequences of each way to draw. */
function byChoice(sequences: readonly RunningSequence[]): readonly { choice: TokenChoice; indices: number[] }[] {
  const groups = new Map<string, { choice: TokenChoice; indices: number[] }>();
  for (const [index, { pending }] of sequences.entries()) {
    const { repetitionPenalty, temperature, topK, topP, minP } = pending.request;
    const key = JSON.stringify([repetitionPenalty, temperature, topK, topP, minP]);
    const group = groups.get(key) ?? { choice: pending.request, indices: [] };
    groups.set(key, group);
    group.indices.push(index);
  }
  return [...groups.values()];
}
