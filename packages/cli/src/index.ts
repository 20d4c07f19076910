export { createProgram } from './program.js';
export { exitCodeOf, reportError, withoutSecrets } from './report-error.js';
