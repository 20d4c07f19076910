import { isMetaapoError } from '@metaapo/core/contracts';
import { selectBackend } from '@metaapo/engine';
import { describeGoldenLosses } from './golden-cases.js';

describeGoldenLosses('tensorflow', async () => {
  try {
    await selectBackend({ prefer: 'tensorflow' });
    return undefined;
  } catch (error) {
    if (isMetaapoError(error) && error.code === 'backend') return error.message;
    throw error;
  }
});
