import { readFileSync } from 'node:fs';
import { pairGradients, pairValues } from '@metaapo/core';
import type { LossState, PairArrays, PreferenceLoss } from '@metaapo/core/contracts';
import * as losses from '@metaapo/losses';
import * as tf from '@tensorflow/tfjs';
import { describe, expect, it } from 'vitest';
import { goldenSets } from '../support/goldens.js';

interface GoldenCase {
  readonly loss: string;
  readonly options: Readonly<Record<string, unknown>>;
  readonly logps_scale: number;
  readonly per_pair: readonly number[];
  readonly grad_chosen_of_mean: readonly number[];
  readonly grad_rejected_of_mean: readonly number[];
}

interface Goldens {
  readonly inputs: Readonly<
    Record<'policy_chosen' | 'policy_rejected' | 'reference_chosen' | 'reference_rejected', number[]>
  > & { readonly chosen_tokens?: number[]; readonly rejected_tokens?: number[] };
  readonly cases: readonly GoldenCase[];
}

const number = (value: unknown): number => Number(value ?? 0);

/** Our loss for a case of another library's names. */
function lossOf({ loss, options }: GoldenCase): PreferenceLoss {
  const beta = number(options.beta);
  const labelSmoothing = number(options.label_smoothing);
  switch (loss) {
    case 'sigmoid': {
      const kind = { js_divergence: 'js', alpha_divergence: 'alpha' }[String(options.f_divergence)];
      const fDivergence =
        kind === 'alpha' ? { kind: 'alpha' as const, alpha: number(options.alpha) } : { kind: 'js' as const };
      return losses.dpo({
        beta,
        labelSmoothing,
        referenceFree: options.reference_free === true,
        ...(kind === undefined ? {} : { fDivergence }),
      });
    }
    case 'robust':
      return losses.robustDpo({ beta, labelSmoothing });
    case 'exo_pair':
      return losses.exo({ beta, labelSmoothing: labelSmoothing === 0 ? 1e-3 : labelSmoothing });
    case 'hinge':
      return losses.hinge({ beta });
    case 'ipo':
      return losses.ipo({ beta });
    case 'sppo_hard':
      return losses.sppo({ beta });
    case 'nca_pair':
      return losses.nca({ beta });
    case 'aot':
      return losses.aot({ beta, labelSmoothing });
    case 'aot_pair':
      return losses.aotPair({ beta, labelSmoothing });
    case 'apo_zero':
      return losses.apoZero({ beta });
    case 'apo_down':
      return losses.apoDown({ beta });
    case 'discopop':
      return losses.discopop({ beta, tau: number(options.discopop_tau) });
    case 'simpo':
      return losses.simpo({ beta, gamma: number(options.gamma), labelSmoothing });
    case 'cpo':
      return losses.cpo({ beta, nllWeight: number(options.cpo_alpha) });
    case 'orpo_odds_ratio_term':
      return losses.orpo({ beta, nllWeight: 0 });
    case 'orpo':
      return losses.orpo({ beta, nllWeight: number(options.nll_weight) });
    case 'bco':
      return withState(losses.bco({ beta }), options.state as LossState | undefined);
    case 'kto':
      return losses.kto(ktoOptions(options));
    case 'wpo':
      return losses.wpo({ beta });
    case 'rpo':
      return losses.rpo({ beta, nllWeight: number(options.nll_weight) });
    case 'length_normalized_dpo':
      return losses.lengthNormalizedDpo({ beta, labelSmoothing });
    case 'nll':
      return losses.nll();
    case 'bradley_terry':
      return losses.bradleyTerry({ margin: number(options.margin), centerPenalty: number(options.center_penalty) });
    default:
      throw new Error(`unknown golden loss ${loss}`);
  }
}

const ktoOptions = (options: GoldenCase['options']): losses.KtoOptions => ({
  beta: number(options.beta),
  desirableWeight: number(options.desirable_weight),
  undesirableWeight: number(options.undesirable_weight),
});

/** The loss after the batches that its state sums up. */
function withState(loss: PreferenceLoss, state: LossState | undefined): PreferenceLoss {
  return { ...loss, compute: (logprobs) => loss.compute(logprobs, state) };
}

/** Losses that sort the batch give their values in sorted order; the mean and the gradients belong to the rows. */
const isSorted = (loss: string): boolean => loss.startsWith('aot');

function expectClose(got: ArrayLike<number>, expected: readonly number[], sorted: boolean, what: string): void {
  const order = (values: ArrayLike<number>): number[] =>
    sorted ? Array.from(values).sort((a, b) => a - b) : Array.from(values);
  const [a, b] = [order(got), order(expected)];
  for (const [index, value] of b.entries()) {
    const allowed = Math.max(1e-6, 1e-5 * Math.abs(value));
    expect(Math.abs(a[index]! - value), `${what}[${index}]: ${a[index]} for ${value}`).toBeLessThanOrEqual(allowed);
  }
}

/** Registers the golden cases as tests; the backend is chosen by `prepare`. */
export function describeGoldenLosses(backend: string, prepare: () => Promise<string | undefined>): void {
  for (const { name, losses: file } of goldenSets())
    describeSet(`golden losses of ${name} on ${backend}`, file, prepare);
}

function arraysOf({ inputs }: Goldens, { logps_scale: scale }: GoldenCase): PairArrays {
  const scaled = (values: number[]): Float32Array => Float32Array.from(values, (value) => value * scale);
  return {
    policyChosen: scaled(inputs.policy_chosen),
    policyRejected: scaled(inputs.policy_rejected),
    referenceChosen: scaled(inputs.reference_chosen),
    referenceRejected: scaled(inputs.reference_rejected),
    chosenTokens: inputs.chosen_tokens && Float32Array.from(inputs.chosen_tokens),
    rejectedTokens: inputs.rejected_tokens && Float32Array.from(inputs.rejected_tokens),
  };
}

interface Values {
  readonly perPair: Float32Array;
  readonly gradients: { readonly chosen: Float32Array; readonly rejected: Float32Array };
}

async function valuesOf(loss: PreferenceLoss, arrays: PairArrays): Promise<Values> {
  const { perPair } = await pairValues(loss, arrays);
  const count = perPair.length;
  return { perPair, gradients: await pairGradients(loss, arrays, new Float32Array(count).fill(1 / count)) };
}

function describeSet(title: string, file: string, prepare: () => Promise<string | undefined>): void {
  describe(title, () => {
    const goldens = JSON.parse(readFileSync(file, 'utf8')) as Goldens;
    for (const [index, golden] of goldens.cases.entries()) {
      it(`${index}: ${golden.loss} ${JSON.stringify(golden.options)}`, async (context) => {
        const missing = await prepare();
        if (missing !== undefined) return context.skip(missing);
        const arrays = arraysOf(goldens, golden);
        const before = tf.memory().numTensors;
        const { perPair, gradients } = await valuesOf(lossOf(golden), arrays);
        expect(tf.memory().numTensors).toBe(before);
        // TRL states the odds ratio term with the sign that its trainer turns round.
        const sign = golden.loss === 'orpo_odds_ratio_term' ? -1 : 1;
        const signed = (values: readonly number[]): number[] => values.map((value) => sign * value);
        expectClose(perPair, signed(golden.per_pair), isSorted(golden.loss), 'perPair');
        expectClose(gradients.chosen, signed(golden.grad_chosen_of_mean), false, 'chosen');
        expectClose(gradients.rejected, signed(golden.grad_rejected_of_mean), false, 'rejected');
      });
    }
  });
}
