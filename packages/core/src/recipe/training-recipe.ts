import { z } from 'zod';
import { SCHEDULES } from '../numerics/index.js';
import { metaLearnerSection, orId, part, partOr } from '../objectives/part-sections.js';
import { modelOptions, modelSection, withModelOptions } from './model-section.js';

/** A number of things: more than any run has, and far from where arithmetic is not exact. */
export const count = z.int().positive().max(1_000_000_000);

/** Tokens that a sequence or a batch has at most. */
export const tokenCount = z.int().positive().max(100_000_000);

/** A step width. Larger ones, such as a missed exponent, only diverge. */
export const learningRate = z.number().positive().max(100);

const share = z.number().min(0).max(1);
/** Of a running mean: with 1 it would never move, and its correction would divide by zero. */
const decay = z.number().min(0).lt(1);

/** AdamW, schedule, batches: how a model is trained, before defaults that depend on other settings are filled in. */
export const trainingFields = z
  .strictObject({
    /** Rows an optimizer step: pairs, or in fine-tuning demonstrations. */
    batchSize: count.default(128),
    /** Tokens of a micro-batch: memory, never results. */
    microBatchTokens: tokenCount.default(8192),
    epochs: z.int().positive().max(1_000_000).default(1),
    shuffle: z.boolean().default(true),
    /** The last batch of an epoch where it is smaller: trained as it is, or left out, and its step not counted. */
    lastBatch: z.enum(['keep', 'drop']).default('keep'),
    learningRate: learningRate.default(5e-7),
    /** Of the learning rate after the warm-up. The built-in recipes name the paper's, cosine_with_min_lr. */
    schedule: z.enum(SCHEDULES).default('constant'),
    /** Lowest learning rate as a share of the peak, default 0.1; for cosine_with_min_lr. */
    minLrRatio: share.optional(),
    warmupSteps: z.int().min(0).max(1_000_000_000).optional(),
    /** Share of all steps that warm up, rounded up; default 0.03. Excludes warmupSteps. */
    warmupRatio: share.optional(),
    adamBetas: z.tuple([decay, decay]).default([0.9, 0.95]),
    /** Not below what float32 tells from zero. */
    adamEpsilon: z.number().min(1e-30).max(1).default(1e-8),
    /** Decoupled, on matrices only. */
    weightDecay: z.number().min(0).max(1_000).default(0),
    /** false: gradients are left as they are. */
    maxGradNorm: z.union([z.number().positive().max(1e12), z.literal(false)]).default(1),
    seed: z.int().min(0).default(0),
    /** Steps between evaluations; default: before the first and after the last step. */
    evaluateEvery: count.optional(),
    /** Steps between checkpoints; default: only when interrupted. */
    saveEvery: count.optional(),
    /** An option of the model, see {@link withModelOptions}. */
    checkpoint: z.unknown().optional(),
  })
  .refine(({ warmupSteps, warmupRatio }) => warmupSteps === undefined || warmupRatio === undefined, {
    message: 'give warmupSteps or warmupRatio, not both',
    path: ['warmupRatio'],
  })
  .refine(({ schedule, minLrRatio }) => minLrRatio === undefined || schedule === 'cosine_with_min_lr', {
    message: 'only the schedule cosine_with_min_lr has a lowest learning rate',
    path: ['minLrRatio'],
  });

/** The section with the defaults that depend on other settings. */
export function withScheduleDefaults<Fields extends z.output<typeof trainingFields>>(fields: Fields): Fields {
  const { warmupSteps, warmupRatio = 0.03, schedule, minLrRatio = 0.1 } = fields;
  return {
    ...fields,
    ...(warmupSteps === undefined && { warmupRatio }),
    ...(schedule === 'cosine_with_min_lr' && { minLrRatio }),
  };
}

/** {@link trainingFields} with every default filled in. */
export const trainingSection = trainingFields.transform(withScheduleDefaults);

/** Which rows, and how long they may be. */
export const dataSection = z.strictObject({
  /** A file, several files, a directory, or a data set's hub id, owner/name or owner/name@revision. */
  train: z.union([z.string(), z.array(z.string()).min(1)]),
  eval: z.union([z.string(), z.array(z.string()).min(1)]).optional(),
  /** Configuration of a data set, as its card names it. */
  config: z.string().optional(),
  /** Splits of a data set, named as load_dataset names them. */
  trainSplit: z.string().optional(),
  evalSplit: z.string().optional(),
  /** Most tokens of a prompt with one response. */
  maxLength: tokenCount.default(4096),
  /** Most tokens of a prompt; default: what maxLength leaves room for. */
  maxPromptLength: tokenCount.optional(),
  /**
   * What happens to longer rows: the response's tail is cut, the same with the end-of-sequence token in its last place, or the
   * row is left out. All are counted.
   */
  truncate: z.enum(['response-tail', 'ended-tail', 'drop']).default('response-tail'),
  /** A prompt that is too long: an error (default where tails are cut), or the row is left out and counted. */
  longPrompt: z.enum(['error', 'drop']).optional(),
  /** Variables of the chat template, such as enable_thinking: false; a row's own chat_template_kwargs lie over them. */
  templateArguments: z.record(z.string(), z.unknown()).optional(),
  /** Day that chat templates write which ask for the date, `2026-01-31`; default the day on which the run began. */
  templateDate: z.iso.date().optional(),
  /** Names of columns in the files, by the names that they have here: `{ prompt: question }`; `false` leaves one unread. */
  columns: z.record(z.string(), z.union([z.string(), z.literal(false)])).optional(),
  /** A row that cannot be used is an error, or it is left out, counted and listed. */
  badRows: z.enum(['error', 'drop']).default('error'),
  /** First rows only, for trials. */
  maxRows: count.optional(),
});

/** Where the responses of conversations end. */
export const responseEnd = z.enum(['end-of-turn', 'template-end']);

/** Pairs that a policy is trained on. */
const pairSection = dataSection.extend({
  /**
   * Where responses end, offline and online ones alike: at the end-of-sequence token, or with all that the chat template
   * writes behind it, which is most often a line break.
   */
  responseEnd: responseEnd.default('end-of-turn'),
});

/** Keys that every recipe has. */
export const commonSections = {
  /** Hub id or directory of the policy, or a part of the slot of models with its options. */
  model: modelSection,
  /** The same; default: the policy as it starts. */
  reference: modelSection.optional(),
  ...modelOptions,
  loss: partOr('dpo'),
  metaLearner: metaLearnerSection.optional(),
  training: trainingSection.prefault({}),
  data: pairSection,
  /** Rows without an online pair in a meta-weighted training: left out (default), or trained offline with weight 1. */
  unselected: z.enum(['keep', 'drop']).optional(),
  trackers: z.array(part).default([]),
  /** Packages of plugins, or paths of their modules, beside the project's own. */
  plugins: z.array(z.string()).default([]),
  /** Revision of models from the hub; data sets have their own: owner/name@revision. */
  revision: z.string().optional(),
  /** Run directory. */
  output: z.string(),
};

/** What {@link checkConflicts} reads of a recipe. */
interface Conflicting {
  readonly metaLearner?: z.output<typeof metaLearnerSection> | undefined;
  readonly unselected?: unknown;
  readonly evaluateRewards?: unknown;
  readonly data: { readonly eval?: unknown; readonly evalSplit?: unknown };
  readonly training: { readonly evaluateEvery?: unknown };
}

/** Refuses settings that exclude each other, and those that would do nothing. */
export function checkConflicts(recipe: Conflicting, context: z.core.$RefinementCtx): void {
  const { metaLearner, unselected, evaluateRewards, data, training } = recipe;
  const refuse = (message: string, ...path: string[]): void => context.addIssue({ code: 'custom', message, path });
  if (unselected !== undefined && metaLearner === undefined)
    refuse('it does nothing without metaLearner', 'unselected');
  if (metaLearner?.weightFrom !== undefined && metaLearner.lossWeight !== undefined)
    refuse('it does nothing beside lossWeight, which stands in the place of w', 'metaLearner', 'weightFrom');
  if (data.eval !== undefined) return;
  const message = 'it does nothing without data.eval';
  if (data.evalSplit !== undefined) refuse(message, 'data', 'evalSplit');
  if (training.evaluateEvery !== undefined) refuse(message, 'training', 'evaluateEvery');
  if (evaluateRewards !== undefined) refuse(message, 'evaluateRewards');
}

/** The objective of a recipe whose options stand at its top. */
export const namedObjective = <Id extends string>(id: Id) =>
  orId(z.strictObject({ id: z.literal(id).default(id) })).prefault({});

/** A recipe of `metaapo train` on preferences. */
export const trainingRecipe = z
  .strictObject({ ...commonSections, objective: namedObjective('preference') })
  .superRefine(checkConflicts)
  .superRefine(({ metaLearner }, context) => {
    if (metaLearner?.leftover === undefined) return;
    const message = 'it does nothing in one training, which has no iterations';
    context.addIssue({ code: 'custom', message, path: ['metaLearner', 'leftover'] });
  })
  .transform((recipe) =>
    recipe.metaLearner === undefined ? recipe : { ...recipe, unselected: recipe.unselected ?? 'drop' },
  )
  .transform(withModelOptions);

/** A checked recipe with every default filled in, whatever it calls its objective. */
export type TrainingRecipe = Omit<z.output<typeof trainingRecipe>, 'objective'>;

/** A recipe of `metaapo train-reward`: no reference, no adapter and no meta-learner. */
export const rewardRecipe = z
  .strictObject({
    objective: namedObjective('reward'),
    model: commonSections.model,
    loss: partOr('bradley-terry'),
    training: commonSections.training,
    /** A reward model is read at the last token: by default that of the template, as it is scored with. */
    data: dataSection.extend({ responseEnd: responseEnd.default('template-end') }),
    ...modelOptions,
    trackers: commonSections.trackers,
    plugins: commonSections.plugins,
    revision: commonSections.revision,
    output: commonSections.output,
  })
  .superRefine(checkConflicts)
  .transform(withModelOptions);
