import { z } from 'zod';

/** A part of a slot that has a usual one, by id with its own options beside it: they may be given alone. */
export const partOr = (id: string) => z.looseObject({ id: z.string().min(1).max(100).default(id) }).prefault({});

/** The meta-learner of a training of preferences. Other keys are the part's own. */
export const metaLearnerSection = z.looseObject({
  id: z.string().min(1).max(100).default('mlp'),
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
});
