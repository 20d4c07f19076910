export * from './extra-body.js';
export { statusOf } from './http-errors.js';
export * from './json-client.js';
