import { isMetaapoError } from '@metaapo/core/contracts';
import { selectBackend } from '../src/backends/index.js';

/** Selects the backend `tensorflow`; returns why it cannot be had, where it cannot. */
export async function missingNative(): Promise<string | undefined> {
  try {
    await selectBackend({ prefer: 'tensorflow' });
    return undefined;
  } catch (error) {
    if (!isMetaapoError(error)) throw error;
    return error.message;
  }
}
