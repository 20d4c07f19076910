import { isMetaapoError } from '@metaapo/core/contracts';
import { type BackendId, selectBackend } from '@metaapo/engine';

/** Selects a backend; returns why that cannot be done on this machine, or nothing. */
export async function prepareBackend(prefer: BackendId): Promise<string | undefined> {
  try {
    await selectBackend({ prefer });
    return undefined;
  } catch (error) {
    if (isMetaapoError(error) && error.code === 'backend') return error.message;
    throw error;
  }
}
