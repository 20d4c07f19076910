import { existsSync } from 'node:fs';
import { MetaapoError } from '@metaapo/core/contracts';
import { type BackendId, selectBackend } from '@metaapo/engine';
import { loadLanguageModel, type Precision } from '@metaapo/models';
import { modelDirectory } from './open-models.js';

/** Flags of `metaapo export`. */
export interface ExportFlags {
  readonly model: string;
  readonly adapter?: string;
  readonly output: string;
  readonly dtype: Precision;
  readonly backend?: BackendId;
  readonly revision?: string;
}

/** Runs `metaapo export`. The directory appears when it is complete. */
export async function exportCommand(flags: ExportFlags): Promise<void> {
  const { adapter, output, dtype, revision } = flags;
  if (existsSync(output)) {
    throw new MetaapoError('config', 'the directory exists already', {
      where: output,
      remedy: 'Choose another one with --output DIRECTORY',
    });
  }
  const report = (line: string): void => void process.stderr.write(`${line}\n`);
  report(`Backend: ${(await selectBackend(flags.backend === undefined ? {} : { prefer: flags.backend })).reason}`);
  const model = await loadLanguageModel(await modelDirectory(flags.model, { revision, report }), {
    adapter,
    executor: 'eager',
  });
  try {
    await model.saveMerged(output, dtype);
    process.stdout.write(`${output} holds the model in ${dtype}\n`);
  } finally {
    model.dispose();
  }
}
