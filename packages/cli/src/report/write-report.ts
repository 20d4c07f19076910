import { join } from 'node:path';
import { RUN_FILES } from '@metaapo/core';
import { writeAtomically } from '@metaapo/core/storage';
import { readRun } from './read-run.js';
import { reportPage } from './report-page.js';
import { runNames } from './run-names.js';

/**
 * Writes the report of one run into its directory, or of several runs side by side.
 * @returns the file
 */
export async function writeReport(directories: readonly string[], output?: string): Promise<string> {
  const names = runNames(directories);
  const runs = await Promise.all(directories.map((directory, index) => readRun(directory, names[index]!)));
  const file = output ?? (directories.length === 1 ? join(directories[0]!, RUN_FILES.report) : RUN_FILES.report);
  await writeAtomically(file, await reportPage(runs));
  return file;
}
