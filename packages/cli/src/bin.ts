import { createProgram } from './program.js';
import { exitCodeOf, reportError } from './report-error.js';
import { watchUnsettled } from './unsettled.js';

const ended = watchUnsettled();
try {
  await createProgram().parseAsync();
} catch (error) {
  reportError(error);
  process.exitCode = exitCodeOf(error);
}
ended();
