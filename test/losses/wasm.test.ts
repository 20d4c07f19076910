import { isMetaapoError } from '@metaapo/core/contracts';
import { selectBackend } from '@metaapo/engine';
import { describeGoldenLosses } from './golden-cases.js';

describeGoldenLosses('wasm', async () => {
  try {
    await selectBackend({ prefer: 'wasm' });
    return undefined;
  } catch (error) {
    if (isMetaapoError(error) && error.code === 'backend') return error.message;
    throw error;
  }
});
