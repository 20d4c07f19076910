import { CONTRACT, definePlugin, type Plugin } from '@metaapo/core/contracts';
import { tinkerPart } from './tinker.js';

/** The parts of this package. */
export const plugin: Plugin = definePlugin({ name: '@metaapo/tinker', contract: CONTRACT, parts: [tinkerPart] });
