import type { PreferenceLoss } from '@metaapo/core/contracts';
import { catalogue, dpo, type LossEntry } from '@metaapo/losses';
import { checkLossFinite } from '@metaapo/testing';
import { describe, it } from 'vitest';

const CASES: readonly (readonly [name: string, create: () => PreferenceLoss])[] = [
  ...(catalogue as readonly LossEntry[]).map(({ id, create }) => [id, () => create()] as const),
  ['dpo, label smoothing', () => dpo({ labelSmoothing: 0.1 })],
  ['dpo, JS divergence', () => dpo({ fDivergence: { kind: 'js' } })],
  ['dpo, alpha divergence', () => dpo({ fDivergence: { kind: 'alpha', alpha: 0.5 } })],
];

/** Registers, for every loss, that values and gradients are finite for margins of +-1e4 and log-probabilities at 0. */
export function describeExtremeLosses(backend: string, prepare: () => Promise<string | undefined>): void {
  describe(`losses at margins of +-10 000 on ${backend}`, () => {
    for (const [name, create] of CASES) {
      it(name, async (context) => {
        const missing = await prepare();
        if (missing !== undefined) return context.skip(missing);
        await checkLossFinite(create(), { largestMargin: 1e4 });
      });
    }
  });
}
