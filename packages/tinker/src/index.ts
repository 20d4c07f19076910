export { plugin as default } from './plugin.js';
export { type TinkerContext, type TinkerOptions, tinker } from './tinker.js';
