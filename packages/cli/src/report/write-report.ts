import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { RUN_FILES, writeAtomically } from '@metaapo/core/storage';
import { requireOutputFile } from '../training/require-output-file.js';
import { readRun } from './read-run.js';
import { reportPage } from './report-page.js';
import { runNames } from './run-names.js';

/** Where a report goes. */
export interface ReportFlags {
  /** Default: report.html in the run, or here for several. */
  readonly output?: string;
  /** Replaces a file that is no report. */
  readonly overwrite?: boolean;
}

/**
 * Writes the report of one run into its directory, or of several runs side by side.
 * @returns the file
 * @throws MetaapoError with code `config` when there is another file in its place
 */
export async function writeReport(directories: readonly string[], flags: ReportFlags = {}): Promise<string> {
  const usual = directories.length === 1 ? join(directories[0]!, RUN_FILES.report) : RUN_FILES.report;
  const { output = usual } = flags;
  const overwrite = flags.overwrite === true || isReport(output);
  const file = await requireOutputFile(output, { overwrite, inputs: directories.flatMap(keptFiles) });
  const names = runNames(directories);
  const runs = await Promise.all(directories.map((directory, index) => readRun(directory, names[index]!)));
  await writeAtomically(file, await reportPage(runs));
  return output;
}

/** What a run needs to go on, and to be reported again. */
function keptFiles(directory: string): readonly string[] {
  const names = Object.values(RUN_FILES).filter((name) => name !== RUN_FILES.report);
  return names.map((name) => join(directory, name));
}

/** True for a page that was written here. */
function isReport(file: string): boolean {
  const isHtml = file.endsWith('.html') && existsSync(file);
  return isHtml && readFileSync(file, 'utf8').includes('<script id="report-data"');
}
