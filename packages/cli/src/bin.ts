import { createProgram } from './program.js';
import { exitCodeOf, reportError } from './report-error.js';

try {
  await createProgram().parseAsync();
} catch (error) {
  reportError(error);
  process.exitCode = exitCodeOf(error);
}
