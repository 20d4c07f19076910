import { pairGradients, pairValues } from '@metaapo/core';
import type { PreferenceLoss } from '@metaapo/core/contracts';

/** A loss against the margin, at points of equal distance. */
export interface LossCurve {
  readonly id: string;
  /** Margins in nats, or in nats a token. */
  readonly margins: readonly number[];
  readonly loss: readonly number[];
  /** -dL/dc: above zero the chosen response becomes likelier. */
  readonly chosenPush: readonly number[];
  /** dL/dj: above zero the rejected response becomes less likely. */
  readonly rejectedPush: readonly number[];
}

const POINTS = 121;

/** The curve of a loss; every point is a pair alone. */
export async function lossCurve(loss: PreferenceLoss): Promise<LossCurve> {
  const [level, reach] = loss.aggregation === 'sum' ? [-30, 20] : [-2, 2];
  const margins = Array.from({ length: POINTS }, (_, index) => reach * ((2 * index) / (POINTS - 1) - 1));
  const curve = { loss: [] as number[], chosenPush: [] as number[], rejectedPush: [] as number[] };
  // Rewards have no level of likelihood: they lie about zero.
  const base = loss.id === 'bradley-terry' ? 0 : level;
  for (const margin of margins) {
    const pair = {
      policyChosen: Float32Array.of(base + margin / 2),
      policyRejected: Float32Array.of(base - margin / 2),
      referenceChosen: Float32Array.of(base),
      referenceRejected: Float32Array.of(base),
    };
    const { perPair } = await pairValues(loss, pair);
    const { chosen, rejected } = await pairGradients(loss, pair, Float32Array.of(1));
    curve.loss.push(perPair[0]!);
    curve.chosenPush.push(-chosen[0]!);
    curve.rejectedPush.push(rejected[0]!);
  }
  return { id: loss.id, margins, ...curve };
}
