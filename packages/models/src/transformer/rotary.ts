/** Rotary frequencies as config.json states them. */
export interface RopeConfig {
  readonly theta: number;
  readonly scaling?:
    | { readonly kind: 'linear'; readonly factor: number }
    | {
        readonly kind: 'llama3';
        readonly factor: number;
        readonly lowFreqFactor: number;
        readonly highFreqFactor: number;
        readonly originalMaxPositionEmbeddings: number;
      }
    | undefined;
}

/** `[headDim / 2]` radians a position, rounded to float32 as the checkpoints were trained. */
export function inverseFrequencies({ theta, scaling }: RopeConfig, headDim: number): Float32Array {
  const plain = Float32Array.from({ length: headDim / 2 }, (_, index) => 1 / theta ** ((2 * index) / headDim));
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

/** Cosines and sines `[positions, headDim / 2]` of the angles position * frequency, in float32 like the angle itself. */
export function rotaryAngles(
  positions: Int32Array,
  frequencies: Float32Array,
): { readonly cosines: Float32Array; readonly sines: Float32Array } {
  const half = frequencies.length;
  const cosines = new Float32Array(positions.length * half);
  const sines = new Float32Array(positions.length * half);
  for (let row = 0; row < positions.length; row++) {
    for (let index = 0; index < half; index++) {
      const angle = Math.fround(positions[row]! * frequencies[index]!);
      cosines[row * half + index] = Math.cos(angle);
      sines[row * half + index] = Math.sin(angle);
    }
  }
  return { cosines, sines };
}
