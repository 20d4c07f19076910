import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openSafetensors, writeAtomically } from '@metaapo/core/storage';
import { z } from 'zod';

const settings = z.looseObject({ target_modules: z.unknown().optional(), task_type: z.unknown().optional() });

/** Fills in which modules an adapter is of, where its settings leave it out: the names of its tensors say it. */
export async function repairAdapter(directory: string): Promise<void> {
  const [file, weights] = [join(directory, 'adapter_config.json'), join(directory, 'adapter_model.safetensors')];
  if (!existsSync(file) || !existsSync(weights)) return;
  const stated = settings.parse(JSON.parse(await readFile(file, 'utf8')));
  if (Array.isArray(stated.target_modules) && stated.target_modules.length > 0 && stated.task_type !== undefined)
    return;
  const stored = await openSafetensors(weights);
  await stored.close();
  const names = [...stored.tensors.keys()];
  const modules = names.flatMap((name) => /([^.]+)\.lora_A(\.[^.]+)?\.weight$/.exec(name)?.[1] ?? []);
  const repaired = {
    ...stated,
    target_modules: stated.target_modules ?? [...new Set(modules)].sort(),
    task_type: stated.task_type ?? 'CAUSAL_LM',
  };
  await writeAtomically(file, `${JSON.stringify(repaired, null, 2)}\n`);
}
