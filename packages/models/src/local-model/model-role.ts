import { MetaapoError, type ModelRole } from '@metaapo/core/contracts';
import { requireLanguageHead } from '../language-model/load-language-model.js';
import type { TextSource } from '../language-model/load-text-model.js';
import { requireScoreHead } from '../reward/load-scorer.js';
import type { LocalModelSettings } from './local-model-options.js';

/** Refuses what a model cannot be, before its weights are fetched. */
export function requireRole(
  role: ModelRole,
  { directory, config }: TextSource,
  { lora: begun }: LocalModelSettings,
): void {
  if (role === 'policy') requireLanguageHead(directory, config);
  if (role === 'scorer') requireScoreHead(directory, config);
  if (role === 'new-scorer' && begun !== undefined) throw trainedWhole();
}

function trainedWhole(): MetaapoError {
  return new MetaapoError('config', 'a reward model is trained whole, without an adapter', {
    where: 'model local',
    got: 'lora',
    remedy: 'Leave lora out',
  });
}
