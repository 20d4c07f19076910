import { type AnyPart, CONTRACT, definePart, definePlugin, LOSS } from '@metaapo/core/contracts';
import { aotEntry } from './aot.js';
import { aotPairEntry } from './aot-pair.js';
import { apoDownEntry } from './apo-down.js';
import { apoZeroEntry } from './apo-zero.js';
import { bcoEntry } from './bco.js';
import { bradleyTerryEntry } from './bradley-terry.js';
import { cpoEntry } from './cpo.js';
import type { LossEntry } from './define-loss.js';
import { discopopEntry } from './discopop.js';
import { dpoEntry } from './dpo.js';
import { exoEntry } from './exo.js';
import { hingeEntry } from './hinge.js';
import { ipoEntry } from './ipo.js';
import { ktoEntry } from './kto.js';
import { lengthNormalizedDpoEntry } from './length-normalized-dpo.js';
import { ncaEntry } from './nca.js';
import { orpoEntry } from './orpo.js';
import { robustDpoEntry } from './robust-dpo.js';
import { rpoEntry } from './rpo.js';
import { simpoEntry } from './simpo.js';
import { sppoEntry } from './sppo.js';
import { wpoEntry } from './wpo.js';

function partOf<Options extends object, State>(entry: LossEntry<Options, State>): AnyPart {
  return definePart({
    slot: LOSS,
    id: entry.id,
    summary: entry.publications[0]!.title,
    options: entry.schema,
    create: (options) => entry.create(options),
  });
}

/** All losses of this package. */
export default definePlugin({
  name: '@metaapo/losses',
  contract: CONTRACT,
  parts: [
    partOf(dpoEntry),
    partOf(robustDpoEntry),
    partOf(exoEntry),
    partOf(hingeEntry),
    partOf(ipoEntry),
    partOf(bcoEntry),
    partOf(sppoEntry),
    partOf(ncaEntry),
    partOf(aotEntry),
    partOf(aotPairEntry),
    partOf(apoZeroEntry),
    partOf(apoDownEntry),
    partOf(discopopEntry),
    partOf(simpoEntry),
    partOf(cpoEntry),
    partOf(orpoEntry),
    partOf(ktoEntry),
    partOf(lengthNormalizedDpoEntry),
    partOf(wpoEntry),
    partOf(rpoEntry),
    partOf(bradleyTerryEntry),
  ],
});
