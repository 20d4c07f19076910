import { MetaapoError } from '@metaapo/core/contracts';
import type { FedTensor } from '@metaapo/engine';
import type { TransformerConfig } from './transformer-config.js';

/** A rotary embedding as config.json states it. */
export interface RopeConfig {
  readonly theta: number;
  /** The first numbers of a head, which are rotated; an even count. The others stay. */
  readonly dims: number;
  readonly scaling?:
    | { readonly kind: 'linear'; readonly factor: number }
    | {
        readonly kind: 'llama3';
        readonly factor: number;
        readonly lowFreqFactor: number;
        readonly highFreqFactor: number;
        readonly originalMaxPositionEmbeddings: number;
      }
    | {
        /** LongRoPE (arXiv 2402.13753) with the factors of texts that are no longer than those of pretraining. */
        readonly kind: 'longrope';
        /** `[dims / 2]` divisors of the frequencies. */
        readonly factors: readonly number[];
        /** Factor of cosines and sines. */
        readonly amplitude: number;
        /** Tokens of the longest text that these factors are for. */
        readonly longestText: number;
      }
    | undefined;
}

/** `[dims / 2]` radians a position, rounded to float32 as the checkpoints were trained. */
export function inverseFrequencies({ theta, dims, scaling }: RopeConfig): Float32Array {
  const power = (index: number): number => theta ** ((2 * index) / dims);
  if (scaling?.kind === 'longrope') {
    return Float32Array.from(scaling.factors, (factor, index) => 1 / (factor * power(index)));
  }
  const plain = Float32Array.from({ length: dims / 2 }, (_, index) => 1 / power(index));
  if (scaling === undefined) return plain;
  if (scaling.kind === 'linear') return plain.map((frequency) => frequency / scaling.factor);
  const { factor, lowFreqFactor, highFreqFactor, originalMaxPositionEmbeddings: original } = scaling;
  return plain.map((frequency) => {
    const wavelength = (2 * Math.PI) / frequency;
    if (wavelength < original / highFreqFactor) return frequency;
    if (wavelength > original / lowFreqFactor) return frequency / factor;
    const smooth = (original / wavelength - lowFreqFactor) / (highFreqFactor - lowFreqFactor);
    return (1 - smooth) * (frequency / factor) + smooth * frequency;
  });
}

/**
 * Cosines and sines `[positions, dims / 2]` of the angles position * frequency, in float32 like the angle itself.
 * @throws MetaapoError with code `config` for a position that the embedding has no frequencies for
 */
export function rotaryAngles(
  positions: Int32Array,
  rope: RopeConfig,
): { readonly cosines: Float32Array; readonly sines: Float32Array } {
  const frequencies = inverseFrequencies(rope);
  const amplitude = rope.scaling?.kind === 'longrope' ? rope.scaling.amplitude : 1;
  if (rope.scaling?.kind === 'longrope') checkLongest(positions, rope.scaling.longestText);
  const half = frequencies.length;
  const cosines = new Float32Array(positions.length * half);
  const sines = new Float32Array(positions.length * half);
  // Rows begin at the same positions: trigonometry once a position.
  const firstRows = new Map<number, number>();
  for (let row = 0; row < positions.length; row++) {
    const known = firstRows.get(positions[row]!);
    if (known !== undefined) {
      for (const angles of [cosines, sines]) angles.copyWithin(row * half, known * half, (known + 1) * half);
      continue;
    }
    firstRows.set(positions[row]!, row);
    for (let index = 0; index < half; index++) {
      const angle = Math.fround(positions[row]! * frequencies[index]!);
      cosines[row * half + index] = amplitude * Math.cos(angle);
      sines[row * half + index] = amplitude * Math.sin(angle);
    }
  }
  return { cosines, sines };
}

function checkLongest(positions: Int32Array, longestText: number): void {
  const beyond = positions.find((position) => position >= longestText);
  if (beyond === undefined) return;
  throw new MetaapoError('config', 'a text is too long for the model', {
    where: 'rotary embedding longrope',
    expected: `at most ${longestText} tokens (original_max_position_embeddings): longer ones have other frequencies`,
    got: `a token at position ${beyond}`,
    remedy: 'Lower maxLength, maxPromptLength or maxNewTokens',
  });
}

/** Names of the inputs for the angles of an embedding, by its index in `ropes`. */
export function angleNames(rope: number): { readonly cosines: string; readonly sines: string } {
  return rope === 0 ? { cosines: 'cosines', sines: 'sines' } : { cosines: `cosines${rope}`, sines: `sines${rope}` };
}

/** The angles of tokens at these positions, by input name. */
export function angleFeeds(positions: Int32Array, { ropes }: TransformerConfig): Readonly<Record<string, FedTensor>> {
  const feeds: Record<string, FedTensor> = {};
  for (const [index, rope] of ropes.entries()) {
    const names = angleNames(index);
    const { cosines, sines } = rotaryAngles(positions, rope);
    const shape = [positions.length, rope.dims / 2];
    feeds[names.cosines] = { data: cosines, shape };
    feeds[names.sines] = { data: sines, shape };
  }
  return feeds;
}
