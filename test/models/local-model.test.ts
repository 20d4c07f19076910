import { localModel } from '@metaapo/models';
import { describeModel } from '@metaapo/testing';
import { beforeAll, describe, it } from 'vitest';
import { prepareBackend } from '../support/backends.js';
import { quickstartModel } from '../support/metaapo.js';

/** Float32 products in another order, in a model whose log-probabilities are sums over a dozen tokens. */
const TOLERANCE = 1e-3;

for (const backend of ['tensorflow', 'wasm'] as const) {
  const reason = await prepareBackend(backend);
  describe.skipIf(reason !== undefined)(`model local on ${backend}${reason === undefined ? '' : `: ${reason}`}`, () => {
    beforeAll(() => prepareBackend(backend));
    describeModel({ describe, it }, () => localModel({ path: quickstartModel, backend }, { report: () => undefined }), {
      tolerance: TOLERANCE,
    });
  });
}
