export { type BinnedOptions, binned } from './binned.js';
export { type ConstantOptions, constant } from './constant.js';
export type { FeatureName } from './feature-columns.js';
export { type FrozenOptions, frozen } from './frozen.js';
export { type IsotonicOptions, isotonic } from './isotonic.js';
export { type MlpOptions, mlp } from './mlp.js';
export type { MlpInit } from './mlp-state.js';
export { plugin as default } from './plugin.js';
export { type SigmoidOptions, sigmoid } from './sigmoid.js';
