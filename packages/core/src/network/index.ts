export * from './extra-body.js';
export * from './json-client.js';
