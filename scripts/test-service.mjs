// Runs the tests against a real training server on this machine's CPU: `pnpm test:service [arguments of vitest]`.
// Exit code 3, and the reason, where there can be no such server.
import { join } from 'node:path';
import { serviceEnvironment } from './service-environment.mjs';
import { root, run, setUp } from './setup.mjs';

setUp();
const { python, reason } = serviceEnvironment();
if (python === undefined) {
  process.stdout.write(`skipped: the tests with a real training server; ${reason}\n`);
  process.exit(3);
}
const { status } = run(
  join(root, 'node_modules', '.bin', 'vitest'),
  ['run', '--project', 'service', '--maxWorkers=1', ...process.argv.slice(2)],
  { env: { METAAPO_SERVICE_PYTHON: python } },
);
process.exit(status ?? 1);
