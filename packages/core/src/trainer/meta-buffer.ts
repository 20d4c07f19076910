import type { ObjectiveValues } from './objective.js';

/** Rows that wait for the meta-learner's next update, each array `[M]` float32. */
export interface BufferedRows {
  readonly logSigmoidScore: Float32Array;
  readonly offlineLoss: Float32Array;
  readonly onlineLoss: Float32Array;
}

/** No rows. */
export function emptyBuffer(): BufferedRows {
  const none = new Float32Array(0);
  return { logSigmoidScore: none, offlineLoss: none, onlineLoss: none };
}

/** The buffer with the rows of a batch that have an online pair, with their losses as they were trained. */
export function appendRows(buffer: BufferedRows, parts: readonly ObjectiveValues[]): BufferedRows {
  const added = { logSigmoidScore: [] as number[], offlineLoss: [] as number[], onlineLoss: [] as number[] };
  for (const { offline, weighted } of parts) {
    for (const [at, index] of (weighted?.paired ?? []).entries()) {
      added.logSigmoidScore.push(weighted!.logSigmoidScore[index]!);
      added.offlineLoss.push(offline.perPair[index]!);
      added.onlineLoss.push(weighted!.online!.perPair[at]!);
    }
  }
  const join = (name: keyof BufferedRows): Float32Array => Float32Array.from([...buffer[name], ...added[name]]);
  return { logSigmoidScore: join('logSigmoidScore'), offlineLoss: join('offlineLoss'), onlineLoss: join('onlineLoss') };
}
