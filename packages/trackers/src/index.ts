export { plugin as default } from './plugin.js';
export { type TensorboardOptions, tensorboard } from './tensorboard.js';
