// Sets everything up, prepares the native backend where that is possible, and runs all tests.
import { readFileSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { root, run, setUp } from './setup.mjs';

setUp();
prepareNativeBackend();

// Two at a time also on two cores: much of an end-to-end test is the start of processes, which keeps one core busy.
const workers = Math.max(2, availableParallelism() - 1);
const totals = { passed: 0, failed: 0, skipped: 0 };
let isGreen = true;
for (const project of ['unit', 'e2e']) {
  const report = join(tmpdir(), `metaapo-${project}-${process.pid}.json`);
  const result = run(join(root, 'node_modules', '.bin', 'vitest'), [
    'run',
    '--project',
    project,
    '--passWithNoTests',
    `--maxWorkers=${workers}`,
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${report}`,
    ...process.argv.slice(2),
  ]);
  if (result.status !== 0) isGreen = false;
  try {
    const {
      numPassedTests,
      numFailedTests,
      numPendingTests,
      numTodoTests = 0,
    } = JSON.parse(readFileSync(report, 'utf8'));
    totals.passed += numPassedTests;
    totals.failed += numFailedTests;
    totals.skipped += numPendingTests + numTodoTests;
  } catch (error) {
    process.stderr.write(`The ${project} tests left no report: ${error.message}\n`);
    isGreen = false;
  }
  rmSync(report, { force: true });
}
process.stdout.write(`${totals.passed} passed, ${totals.failed} failed, ${totals.skipped} skipped\n`);
process.exit(isGreen && totals.failed === 0 ? 0 : 1);

function prepareNativeBackend() {
  if (process.env.METAAPO_SKIP_NATIVE === '1') {
    process.stdout.write('Native backend: skipped, METAAPO_SKIP_NATIVE is set\n');
    return;
  }
  const installed = run(process.execPath, [join(root, 'packages/cli/bin/metaapo.js'), 'backend', 'install'], {
    quiet: true,
  });
  const isReady = installed.status === 0;
  const said = `${isReady ? installed.stdout : installed.stderr}`.trim().split('\n').at(-1);
  process.stdout.write(`Native backend: ${isReady ? said : `skipped. ${said}`}\n`);
}
