export * from './extra-body.js';
export { statusOf, TransientError } from './http-errors.js';
export * from './json-client.js';
export * from './variables.js';
