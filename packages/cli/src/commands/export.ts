import { type Command, Option } from 'commander';
import type { ExportFlags } from '../model/export-command.js';
import { requireInputs } from '../training/judged-files.js';
import { addExamples } from './examples.js';
import { addDryRun } from './row-options.js';

/** `metaapo export`: a model as others take it. */
export function addExport(program: Command): void {
  const command = program
    .command('export')
    .description('write a model as one Hugging Face directory, with its adapter merged in')
    .requiredOption('--model <model>', 'directory or hub id; for an adapter, the model it belongs to')
    .option('--adapter <directory>', 'PEFT adapter to merge')
    .requiredOption('--output <directory>', 'directory to write')
    .addOption(
      new Option('--dtype <dtype>', 'element type of the files').choices(['float32', 'bfloat16']).default('float32'),
    )
    .option('--backend <backend>', 'tensorflow-gpu, tensorflow, webgpu or wasm')
    .option('--revision <revision>', 'revision of the model from the hub');
  addDryRun(command).action(async (flags: ExportFlags) => {
    requireInputs(flags);
    await (await import('../model/export-command.js')).exportCommand(flags);
  });
  addExamples(
    command,
    'export --model runs/demo/model --output models/merged',
    'export --model models/base --adapter runs/lora/model --dtype bfloat16 --output models/merged',
  );
}
