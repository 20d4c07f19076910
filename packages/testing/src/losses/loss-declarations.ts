import type { PreferenceLoss } from '@metaapo/core/contracts';
import { ConformanceError } from '../conformance-error.js';
import { lossName } from './evaluate-loss.js';

/** What each property that the trainer branches on may be. */
const DECLARATIONS: Readonly<Record<string, readonly unknown[]>> = {
  reads: ['logprobs', 'rewards', undefined],
  aggregation: ['sum', 'mean'],
  isReferenceFree: [true, false],
  couplesPairs: [true, false, undefined],
  ranksPairs: [true, false, undefined],
};

/**
 * Passes when everything that the trainer branches on has a value that the contract knows.
 * @throws ConformanceError that names the property and its values
 */
export async function checkLossDeclarations(loss: PreferenceLoss): Promise<void> {
  const declared = loss as unknown as Readonly<Record<string, unknown>>;
  for (const [name, known] of Object.entries(DECLARATIONS)) {
    if (known.includes(declared[name])) continue;
    const words = known.map((value) => JSON.stringify(value) ?? 'absent').join(', ');
    throw new ConformanceError(
      lossName(loss),
      `${name} is ${JSON.stringify(declared[name])}, expected one of ${words}`,
    );
  }
  if (loss.ranksPairs && !loss.couplesPairs) {
    throw new ConformanceError(lossName(loss), 'it declares ranksPairs without couplesPairs, which ranking implies');
  }
  if (!(loss.warnings ?? []).every((warning) => typeof warning === 'string')) {
    throw new ConformanceError(lossName(loss), 'its warnings are not all sentences');
  }
}
