export * from './extra-body.js';
export * from './json-client.js';
export { statusOf } from './network-errors.js';
