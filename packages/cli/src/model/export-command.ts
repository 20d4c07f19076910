import { existsSync } from 'node:fs';
import { MetaapoError } from '@metaapo/core/contracts';
import { composeAlone } from '../recipe/compose-parts.js';
import { requireApart } from '../training/require-apart.js';
import { type ModelFlags, modelOfFlags } from './model-of-flags.js';

/** Flags of `metaapo export`. */
export interface ExportFlags extends ModelFlags {
  readonly output: string;
  readonly dtype: 'float32' | 'bfloat16';
  /** Whether to look alone, and to write nothing. */
  readonly dryRun?: boolean;
}

/** Runs `metaapo export`. The directory appears when it is complete. */
export async function exportCommand(flags: ExportFlags): Promise<void> {
  const { output, dtype } = flags;
  requireApart(output, [flags.model, flags.adapter]);
  if (existsSync(output)) {
    throw new MetaapoError('config', 'the directory exists already', {
      where: output,
      remedy: 'Choose another one with --output DIRECTORY',
    });
  }
  const { model } = await composeAlone({ model: modelOfFlags(flags) });
  if (model.exportTo === undefined) {
    throw new MetaapoError('config', 'it cannot be written as one directory', {
      where: `model ${model.id}`,
      expected: 'a model of this machine',
      remedy: 'Save it where it lies',
    });
  }
  if (flags.dryRun === true) {
    await model.describe('any');
    process.stdout.write(`${output} would hold the model in ${dtype}\n`);
    return;
  }
  await model.exportTo(output, dtype);
  process.stdout.write(`${output} holds the model in ${dtype}\n`);
}
