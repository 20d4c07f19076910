import type { MetaBuffer } from '../contracts/index.js';
import type { PreferenceValues } from './preference-rows.js';

/** Rows that wait for the meta-learner's next update, each array `[M]`; entropies where the meta-learner reads them. */
export type BufferedRows = Omit<MetaBuffer, 'iteration' | 'chosenTokens' | 'rejectedTokens'> & {
  readonly chosenTokens: Int32Array;
  readonly rejectedTokens: Int32Array;
};

/** No rows. */
export function emptyBuffer(): BufferedRows {
  const floats = new Float32Array(0);
  const counts = new Int32Array(0);
  return {
    logSigmoidScore: floats,
    offlineLoss: floats,
    onlineLoss: floats,
    chosenTokens: counts,
    rejectedTokens: counts,
  };
}

/** The buffer with the rows of a batch that have an online pair, with their losses as they were trained. */
export function appendRows(buffer: BufferedRows, pieces: readonly PreferenceValues[]): BufferedRows {
  return pieces.map(pairedRows).reduce(joined, buffer);
}

/** The rows of a piece of a batch that have an online pair. */
function pairedRows({ offline, weighted }: PreferenceValues): BufferedRows {
  if (weighted === undefined || weighted.paired.length === 0) return emptyBuffer();
  const { features, paired, onlineLoss } = weighted;
  const floats = (values: Float32Array): Float32Array => Float32Array.from(paired, (index) => values[index]!);
  const counts = (values: Int32Array): Int32Array => Int32Array.from(paired, (index) => values[index]!);
  return {
    logSigmoidScore: floats(features.logSigmoidScore),
    offlineLoss: floats(offline.perPair),
    onlineLoss,
    chosenTokens: counts(features.chosenTokens),
    rejectedTokens: counts(features.rejectedTokens),
    chosenEntropy: features.chosenEntropy && floats(features.chosenEntropy),
    rejectedEntropy: features.rejectedEntropy && floats(features.rejectedEntropy),
  };
}

function joined(first: BufferedRows, second: BufferedRows): BufferedRows {
  const floats = (a: Float32Array, b: Float32Array): Float32Array => Float32Array.from([...a, ...b]);
  const counts = (a: Int32Array, b: Int32Array): Int32Array => Int32Array.from([...a, ...b]);
  const known = (a: Float32Array | undefined, b: Float32Array | undefined): Float32Array | undefined =>
    a === undefined && b === undefined ? undefined : floats(a ?? new Float32Array(0), b ?? new Float32Array(0));
  return {
    logSigmoidScore: floats(first.logSigmoidScore, second.logSigmoidScore),
    offlineLoss: floats(first.offlineLoss, second.offlineLoss),
    onlineLoss: floats(first.onlineLoss, second.onlineLoss),
    chosenTokens: counts(first.chosenTokens, second.chosenTokens),
    rejectedTokens: counts(first.rejectedTokens, second.rejectedTokens),
    chosenEntropy: known(first.chosenEntropy, second.chosenEntropy),
    rejectedEntropy: known(first.rejectedEntropy, second.rejectedEntropy),
  };
}
