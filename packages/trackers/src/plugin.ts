import type { Plugin } from '@metaapo/core/contracts';
import { CONTRACT, definePlugin } from '@metaapo/core/contracts';
import { tensorboardPart } from './tensorboard.js';

/** The parts of this package. */
export const plugin: Plugin = definePlugin({ name: '@metaapo/trackers', contract: CONTRACT, parts: [tensorboardPart] });
