import { describeLoss, type LossFlags } from '@metaapo/testing';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, it } from 'vitest';
import { catalogue } from './catalogue.js';
import type { LossEntry } from './define-loss.js';
import { dpo } from './dpo.js';

/** What the mathematics of a loss takes out. */
const FLAGS: Readonly<Record<string, LossFlags>> = {
  hinge: { isSmooth: false },
  bco: { detachesTerms: true },
  kto: { detachesTerms: true },
  wpo: { detachesTerms: true },
  'apo-down': { raisesChosen: false },
};

beforeAll(() => tf.setBackend('cpu'));

for (const entry of catalogue as readonly LossEntry[]) {
  describeLoss({ describe, it }, () => entry.create({}), { name: entry.id, ...FLAGS[entry.id] });
}

describeLoss({ describe, it }, () => dpo({ labelSmoothing: 0.1 }), { name: 'dpo with label smoothing' });
describeLoss({ describe, it }, () => dpo({ referenceFree: true }), { name: 'dpo without reference' });
describeLoss({ describe, it }, () => dpo({ fDivergence: { kind: 'js' } }), { name: 'dpo, JS divergence' });
describeLoss({ describe, it }, () => dpo({ fDivergence: { kind: 'alpha', alpha: 0.5 } }), {
  name: 'dpo, alpha divergence',
});
