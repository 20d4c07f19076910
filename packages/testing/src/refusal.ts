import { isMetaapoError, type MetaapoError } from '@metaapo/core/contracts';
import { ConformanceError, thrownMessage } from './conformance-error.js';

/**
 * The MetaapoError that `act` refuses with; `undefined` when it does not throw at all.
 * @param part the part, for messages
 * @param when what was done, for messages, e.g. `without a reference`
 * @throws ConformanceError when it throws anything else
 */
export async function refusal(part: string, when: string, act: () => unknown): Promise<MetaapoError | undefined> {
  try {
    await act();
    return undefined;
  } catch (thrown) {
    if (isMetaapoError(thrown)) return thrown;
    throw new ConformanceError(part, `${when} it throws no MetaapoError but ${thrownMessage(thrown)}`, thrown);
  }
}
