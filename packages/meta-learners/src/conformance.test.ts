import { describeMetaLearner } from '@metaapo/testing';
import { describe, it } from 'vitest';
import { binned, constant, isotonic, mlp, sigmoid } from './index.js';

const test = { describe, it };

describeMetaLearner(test, () => mlp(), { name: 'mlp' });
describeMetaLearner(test, () => mlp({ init: 'reference' }), { name: 'mlp, the reference initialisation' });
describeMetaLearner(test, () => mlp({ features: ['score', 'lengths', 'iteration'] }), { name: 'mlp, more features' });
describeMetaLearner(test, () => binned(), { name: 'binned' });
describeMetaLearner(test, () => isotonic(), { name: 'isotonic' });
describeMetaLearner(test, () => constant(), { name: 'constant', learns: false });
describeMetaLearner(test, () => sigmoid(), { name: 'sigmoid', learns: false });
