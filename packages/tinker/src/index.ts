export { plugin as default } from './plugin.js';
export { type TinkerContext, tinker } from './tinker.js';
export type { TinkerOptions } from './tinker-options.js';
