import type { AnyPart, Plugin } from '@metaapo/core/contracts';
import { CONTRACT, definePlugin } from '@metaapo/core/contracts';
import { localPart } from './local/local.js';
import { openaiPart } from './openai/openai.js';
import { allPart } from './selection/all.js';
import { budgetPart } from './selection/budget.js';
import { metaPart } from './selection/meta.js';
import { nonePart } from './selection/none.js';
import { randomPart } from './selection/random.js';
import { thresholdPart } from './selection/threshold.js';

const selectionRules: readonly AnyPart[] = [metaPart, thresholdPart, budgetPart, randomPart, allPart, nonePart];

const samplers: readonly AnyPart[] = [localPart, openaiPart];

/** The selection rules and samplers of this package. */
export const plugin: Plugin = definePlugin({
  name: '@metaapo/samplers',
  contract: CONTRACT,
  parts: [...selectionRules, ...samplers],
});
