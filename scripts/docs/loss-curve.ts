import { pairGradients, pairValues } from '@metaapo/core';
import type { PairArrays, PreferenceLoss } from '@metaapo/core/contracts';
import type { LossEntry } from '@metaapo/losses';

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

const POINTS = 161;
/** Margins on either side, in units over which the loss's logit grows by one. */
const REACH = 4;

/** The curve of a loss at its default options; every point is a pair alone. */
export async function lossCurve(entry: LossEntry): Promise<LossCurve> {
  const loss = entry.create();
  const reach = REACH * marginUnit(entry, loss);
  const margins = Array.from({ length: POINTS }, (_, index) => reach * ((2 * index) / (POINTS - 1) - 1));
  const curve = { loss: [] as number[], chosenPush: [] as number[], rejectedPush: [] as number[] };
  for (const margin of margins) {
    const pair = pairOf(loss, margin, reach);
    const { perPair } = await pairValues(loss, pair);
    const { chosen, rejected } = await pairGradients(loss, pair, Float32Array.of(1));
    curve.loss.push(perPair[0]!);
    curve.chosenPush.push(-chosen[0]!);
    curve.rejectedPush.push(rejected[0]!);
  }
  return { id: loss.id, margins, ...curve };
}

function marginUnit({ marginUnit }: LossEntry, { options }: PreferenceLoss): number {
  return marginUnit ?? (typeof options.beta === 'number' ? 1 / options.beta : 1);
}

/**
 * A pair of this margin, split evenly about the reference. Log-probabilities stay below zero, and about 1/2 nat a token;
 * rewards lie about zero.
 */
function pairOf(loss: PreferenceLoss, margin: number, reach: number): PairArrays {
  const base = loss.reads === 'rewards' ? 0 : -(reach / 2 + 1);
  const one = (value: number): Float32Array => Float32Array.of(value);
  return {
    policyChosen: one(base + margin / 2),
    policyRejected: one(base - margin / 2),
    referenceChosen: one(base),
    referenceRejected: one(base),
    chosenTokens: one(Math.ceil(reach)),
    rejectedTokens: one(Math.ceil(reach)),
  };
}

/** The loss of a pair whose log-probabilities are all 0: without a margin, and without a likelihood term. */
export async function valueWithoutMargin({ create }: LossEntry): Promise<number> {
  const zero = Float32Array.of(0);
  const sides = { policyChosen: zero, policyRejected: zero, referenceChosen: zero, referenceRejected: zero };
  const tokens = { chosenTokens: Float32Array.of(1), rejectedTokens: Float32Array.of(1) };
  return (await pairValues(create(), { ...sides, ...tokens })).perPair[0]!;
}
