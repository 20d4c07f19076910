export { type LocalOptions, local } from './local/local.js';
export { plugin as default } from './plugin.js';
export { type AllOptions, all } from './selection/all.js';
export { type BudgetOptions, budget } from './selection/budget.js';
export { type MetaOptions, meta } from './selection/meta.js';
export { type NoneOptions, none } from './selection/none.js';
export { type RandomOptions, random } from './selection/random.js';
export { type ThresholdOptions, threshold } from './selection/threshold.js';
