import { aotEntry } from './aot.js';
import { aotPairEntry } from './aot-pair.js';
import { apoDownEntry } from './apo-down.js';
import { apoZeroEntry } from './apo-zero.js';
import { bcoEntry } from './bco.js';
import { bradleyTerryEntry } from './bradley-terry.js';
import { cpoEntry } from './cpo.js';
import { discopopEntry } from './discopop.js';
import { dpoEntry } from './dpo.js';
import { exoEntry } from './exo.js';
import { hingeEntry } from './hinge.js';
import { ipoEntry } from './ipo.js';
import { ktoEntry } from './kto.js';
import { lengthNormalizedDpoEntry } from './length-normalized-dpo.js';
import { ncaEntry } from './nca.js';
import { nllEntry } from './nll.js';
import { orpoEntry } from './orpo.js';
import { robustDpoEntry } from './robust-dpo.js';
import { rpoEntry } from './rpo.js';
import { simpoEntry } from './simpo.js';
import { sppoEntry } from './sppo.js';
import { wpoEntry } from './wpo.js';

/** Every loss of this package: what a recipe can name and the docs list, in their order. */
export const catalogue = [
  dpoEntry,
  robustDpoEntry,
  exoEntry,
  hingeEntry,
  ipoEntry,
  bcoEntry,
  sppoEntry,
  ncaEntry,
  aotEntry,
  aotPairEntry,
  apoZeroEntry,
  apoDownEntry,
  discopopEntry,
  simpoEntry,
  cpoEntry,
  orpoEntry,
  ktoEntry,
  lengthNormalizedDpoEntry,
  wpoEntry,
  rpoEntry,
  nllEntry,
  bradleyTerryEntry,
] as const;
