import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { RUN_FILES } from '@metaapo/core';
import { MetaapoError } from '@metaapo/core/contracts';
import { lockDirectory } from '@metaapo/core/storage';

/**
 * Claims a run directory for this process.
 * @returns a function that gives it back
 * @throws MetaapoError with code `config` when the directory holds a run that would be overwritten, or another
 * process works in it
 */
export async function claimOutput(output: string, resume: boolean): Promise<() => Promise<void>> {
  const isBegun = [RUN_FILES.metrics, RUN_FILES.journal].some((name) => existsSync(join(output, name)));
  if (!resume && isBegun) {
    throw new MetaapoError('config', 'the output directory already holds a run', {
      where: output,
      remedy: 'Add --resume to go on with it, or choose another output with --set output=...',
    });
  }
  return lockDirectory(output);
}
