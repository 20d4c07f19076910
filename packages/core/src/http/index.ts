export * from './address.js';
export { maskSecrets, readApiKey } from './api-key.js';
export * from './extra-body.js';
export { reasonOf, shownText, statusOf, TransientError } from './http-errors.js';
export * from './json-client.js';
export { backoffMs, retryAfterMs } from './retry-delay.js';
export * from './until-done.js';
export * from './variables.js';
export * from './with-reply.js';
