import { extname, resolve } from 'node:path';
import { z } from 'zod';
import {
  CONTRACT,
  definePart,
  definePlugin,
  LOSS,
  META_LEARNER,
  MetaapoError,
  type MetaLearner,
  type MetaLearnerState,
  OBJECTIVE,
  type PartContext,
  type PreferenceLoss,
  type Slot,
} from '../contracts/index.js';
import { readArrays } from '../storage/index.js';
import { kto, ktoOptions } from './kto.js';
import type { MetaWeighing } from './meta-weighing.js';
import { metaLearnerSection, partOr } from './part-sections.js';
import { preference, reward } from './preference.js';
import { sft } from './sft.js';

const preferenceSection = z
  .strictObject({
    loss: partOr('dpo').describe('The loss over pairs and its options.'),
    metaLearner: metaLearnerSection
      .optional()
      .describe('What weighs offline against online pairs, with its options; without it online pairs are not trained.'),
    unselected: z
      .enum(['keep', 'drop'])
      .optional()
      .describe(
        'Rows without an online pair under a meta-learner: left out (default), or trained offline with weight 1.',
      ),
  })
  .refine(({ unselected, metaLearner }) => unselected === undefined || metaLearner !== undefined, {
    message: 'it does nothing without metaLearner',
    path: ['unselected'],
  })
  .refine(({ metaLearner }) => metaLearner?.weightFrom === undefined || metaLearner.lossWeight === undefined, {
    message: 'it does nothing beside lossWeight, which stands in the place of w',
    path: ['metaLearner', 'weightFrom'],
  });

type MetaSection = NonNullable<z.output<typeof preferenceSection>['metaLearner']>;

/** The objectives of this package. */
export default definePlugin({
  name: '@metaapo/core',
  contract: CONTRACT,
  parts: [
    definePart({
      slot: OBJECTIVE,
      id: 'preference',
      summary: 'Prefers chosen to rejected responses by a loss, with a meta-learner also of online pairs.',
      options: preferenceSection,
      create: async ({ loss, metaLearner, unselected }, context) =>
        preference({
          loss: await made<PreferenceLoss>(context, LOSS, loss),
          metaLearner: metaLearner && (await weighing(metaLearner, context)),
          unselected,
        }),
    }),
    definePart({
      slot: OBJECTIVE,
      id: 'reward',
      summary: 'Makes a reward model of pairs: a chosen response is to have the higher reward.',
      options: z.strictObject({ loss: partOr('bradley-terry').describe('The loss over rewards and its options.') }),
      create: async ({ loss }, context) => reward({ loss: await made<PreferenceLoss>(context, LOSS, loss) }),
    }),
    definePart({
      slot: OBJECTIVE,
      id: 'sft',
      summary: 'Imitates demonstrations: the mean of -log p over response tokens.',
      options: z.strictObject({}),
      create: () => sft(),
    }),
    definePart({
      slot: OBJECTIVE,
      id: 'kto',
      summary: 'Learns from single responses judged desirable or not, against how far the policy has already moved.',
      options: ktoOptions,
      create: (options) => kto(options),
    }),
  ],
});

type Wanted = Readonly<Record<string, unknown>> & { readonly id: string };

function made<Part>({ makePart }: PartContext, slot: Slot<Part>, wanted: Wanted): Promise<Part> {
  if (makePart !== undefined) return makePart(slot, wanted);
  throw new MetaapoError('plugin', 'an objective is made of other parts, and nothing makes them here', {
    where: `part ${wanted.id}`,
    remedy: 'Compose it with a recipe, or call its factory with the parts',
  });
}

async function weighing(section: MetaSection, context: PartContext): Promise<MetaWeighing> {
  const { updateEvery, lossWeight, weightFrom, leftover } = section;
  const learner = await made<MetaLearner>(context, META_LEARNER, metaLearnerPart(section));
  const start = await startOf(section, context.baseDirectory);
  return { learner, updateEvery, lossWeight, weightFrom, leftover, start };
}

/** The options that are the meta-learner's own: without the objective's, and without a file to begin from. */
function metaLearnerPart(section: MetaSection): Wanted {
  const { updateEvery: _, lossWeight: __, weightFrom: ___, leftover: ____, init, ...own } = section;
  return { ...own, ...(init === undefined || isFile(init) ? {} : { init }) };
}

/** Arrays that a meta-learner begins with, out of a file. */
async function startOf({ init }: MetaSection, baseDirectory: string): Promise<MetaLearnerState | undefined> {
  return isFile(init) ? readArrays(resolve(baseDirectory, init)) : undefined;
}

function isFile(init: unknown): init is string {
  return typeof init === 'string' && extname(init) === '.safetensors';
}
