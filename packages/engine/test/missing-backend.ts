import { isMetaapoError } from '@metaapo/core/contracts';
import { type BackendId, selectBackend } from '../src/backends/index.js';

/** Selects a backend; returns why it cannot be had, where it cannot. */
export async function missingBackend(prefer: BackendId): Promise<string | undefined> {
  try {
    await selectBackend({ prefer });
    return undefined;
  } catch (error) {
    if (!isMetaapoError(error)) throw error;
    return error.message;
  }
}
