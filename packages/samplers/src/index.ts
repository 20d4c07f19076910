export { type LocalOptions, local } from './local/local.js';
export { openai } from './openai/openai.js';
export type { OpenaiOptions } from './openai/openai-options.js';
export type { Surroundings } from './openai/refresh-servers.js';
export { plugin as default } from './plugin.js';
