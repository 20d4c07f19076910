import { type AnyPart, CONTRACT, definePart, definePlugin, LOSS } from '@metaapo/core/contracts';
import { catalogue } from './catalogue.js';
import type { LossEntry } from './define-loss.js';
import { weightedSumPart } from './weighted-sum.js';

function partOf(entry: LossEntry): AnyPart {
  return definePart({
    slot: LOSS,
    id: entry.id,
    summary: entry.summary,
    options: entry.options,
    create: (options) => entry.create(options),
  });
}

/** All losses of this package. */
export default definePlugin({
  name: '@metaapo/losses',
  contract: CONTRACT,
  parts: [...catalogue.map((entry) => partOf(entry as LossEntry)), weightedSumPart],
});
