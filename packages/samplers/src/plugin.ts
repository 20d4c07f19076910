import type { Plugin } from '@metaapo/core/contracts';
import { CONTRACT, definePlugin } from '@metaapo/core/contracts';
import { localPart } from './local/local.js';
import { openaiPart } from './openai/openai.js';

/** The samplers of this package. */
export const plugin: Plugin = definePlugin({
  name: '@metaapo/samplers',
  contract: CONTRACT,
  parts: [localPart, openaiPart],
});
