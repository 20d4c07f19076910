import { kto, preference, reward, sft } from '@metaapo/core';
import { aot, bco, bradleyTerry, dpo, ipo, simpo } from '@metaapo/losses';
import { mlp } from '@metaapo/meta-learners';
import { describeObjective } from '@metaapo/testing';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, it } from 'vitest';

beforeAll(() => tf.setBackend('cpu'));
const test = { describe, it };
const metaLearner = { learner: mlp(), updateEvery: 2 };

describeObjective(test, sft, { name: 'sft' });
describeObjective(test, () => kto({ beta: 0.3, desirableWeight: 1.5 }), { name: 'kto' });
describeObjective(test, () => reward({ loss: bradleyTerry() }), { name: 'reward' });
describeObjective(test, () => preference({ loss: dpo({ beta: 0.3 }) }), { name: 'preference, dpo' });
describeObjective(test, () => preference({ loss: simpo() }), { name: 'preference, simpo' });
// Coupled pairs, and a loss whose baseline follows the batch without gradient.
describeObjective(test, () => preference({ loss: aot({ beta: 0.3 }) }), { name: 'preference, aot' });
describeObjective(test, () => preference({ loss: bco() }), { name: 'preference, bco', hasWholeGradient: false });
// The weights follow the policy, and no gradient goes through them.
describeObjective(test, () => preference({ loss: ipo(), metaLearner }), {
  name: 'preference, meta-weighted',
  hasWholeGradient: false,
});
describeObjective(test, () => preference({ loss: dpo(), metaLearner, unselected: 'drop' }), {
  name: 'preference, selected rows alone',
  hasWholeGradient: false,
});
