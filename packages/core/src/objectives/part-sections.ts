import { z } from 'zod';

/** A section that names a part: where it is a text, that is the id, and the options are the part's own. */
export const orId = <Section extends z.ZodType>(section: Section) =>
  z.preprocess((value) => (typeof value === 'string' ? { id: value } : value), section);

const partId = z.string().min(1).max(100);

/** A part by id, with its own options beside it; the part checks them. */
export const part = orId(z.looseObject({ id: partId }));

/** A part of a slot that has a usual one: options may be given alone. */
export const partOr = (id: string) => orId(z.looseObject({ id: partId.default(id) })).prefault({});

/** The meta-learner of a training of preferences. Other keys are the part's own. */
export const metaLearnerSection = orId(
  z.looseObject({
    id: partId.default('mlp'),
    updateEvery: z
      .int()
      .min(1)
      .max(1_000_000)
      .default(8)
      .describe('Optimizer steps between two updates of the meta-learner, T_meta.'),
    lossWeight: z
      .number()
      .min(0)
      .max(1)
      .optional()
      .describe('Weight of offline pairs in the loss in place of w; w still selects and is still trained.'),
    weightFrom: z
      .enum(['score', 'logit'])
      .optional()
      .describe(
        'What w in the loss is computed of: the score (default), as in selection and meta step, or the logit, the score without the beta that SimPO’s holds.',
      ),
    leftover: z
      .enum(['carry', 'discard'])
      .optional()
      .describe(
        'Rows that wait for an update when an iteration ends: carried on (default), or discarded; then updates are counted from its first step.',
      ),
  }),
);
