import { createProgram } from './program.js';
import { exitCodeOf, reportError } from './report-error.js';
import { guardOutputs } from './terminal/guarded-output.js';
import { watchUnsettled } from './unsettled.js';

guardOutputs();
const ended = watchUnsettled();
for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
  process.on(event, (error: unknown) => {
    reportError(error);
    process.exit(exitCodeOf(error));
  });
}
try {
  await createProgram(ended).parseAsync();
} catch (error) {
  reportError(error);
  process.exitCode = exitCodeOf(error);
}
ended();
