import type { ObjectiveValues } from './objective.js';

/** Rows that wait for the meta-learner's next update, each array `[M]`. */
export interface BufferedRows {
  readonly logSigmoidScore: Float32Array;
  readonly offlineLoss: Float32Array;
  readonly onlineLoss: Float32Array;
  /** Response lengths of the offline pairs. */
  readonly chosenTokens: Int32Array;
  readonly rejectedTokens: Int32Array;
}

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
export function appendRows(buffer: BufferedRows, parts: readonly ObjectiveValues[]): BufferedRows {
  const { logSigmoidScore, offlineLoss, onlineLoss, chosenTokens, rejectedTokens } = buffer;
  const paired = parts.flatMap(({ offline, weighted }) =>
    (weighted?.paired ?? []).map((index, at) => ({
      logSigmoidScore: weighted!.features.logSigmoidScore[index]!,
      offlineLoss: offline.perPair[index]!,
      onlineLoss: weighted!.online!.perPair[at]!,
      chosenTokens: weighted!.features.chosenTokens[index]!,
      rejectedTokens: weighted!.features.rejectedTokens[index]!,
    })),
  );
  const added = (name: keyof BufferedRows): number[] => paired.map((row) => row[name]);
  return {
    logSigmoidScore: Float32Array.from([...logSigmoidScore, ...added('logSigmoidScore')]),
    offlineLoss: Float32Array.from([...offlineLoss, ...added('offlineLoss')]),
    onlineLoss: Float32Array.from([...onlineLoss, ...added('onlineLoss')]),
    chosenTokens: Int32Array.from([...chosenTokens, ...added('chosenTokens')]),
    rejectedTokens: Int32Array.from([...rejectedTokens, ...added('rejectedTokens')]),
  };
}
