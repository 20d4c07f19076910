import type { Plugin } from '@metaapo/core/contracts';
import { CONTRACT, definePlugin } from '@metaapo/core/contracts';
import { binnedPart } from './binned.js';
import { constantPart } from './constant.js';
import { frozenPart } from './frozen.js';
import { isotonicPart } from './isotonic.js';
import { mlpPart } from './mlp.js';
import { sigmoidPart } from './sigmoid.js';

/** The meta-learners of this package. */
export const plugin: Plugin = definePlugin({
  name: '@metaapo/meta-learners',
  contract: CONTRACT,
  parts: [mlpPart, frozenPart, constantPart, sigmoidPart, binnedPart, isotonicPart],
});
