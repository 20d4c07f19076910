import { join } from 'node:path';
import { RUN_FILES } from '@metaapo/core';
import { writeAtomically } from '@metaapo/core/storage';
import { readRun } from './read-run.js';
import { reportPage } from './report-page.js';

/**
 * Writes the report of one run into its directory, or of several runs side by side.
 * @returns the file
 */
export async function writeReport(directories: readonly string[], output?: string): Promise<string> {
  const runs = await Promise.all(directories.map(readRun));
  const file = output ?? (directories.length === 1 ? join(directories[0]!, RUN_FILES.report) : RUN_FILES.report);
  await writeAtomically(file, await reportPage(runs));
  return file;
}
