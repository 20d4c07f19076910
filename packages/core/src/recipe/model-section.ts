import { z } from 'zod';

/** A model by its directory or hub id, or a part of the slot of models by id with its options. */
export const modelSection = z.union([
  z
    .string()
    .min(1)
    .transform((path): { readonly id: string; readonly [option: string]: unknown } => ({ id: 'local', path })),
  z.looseObject({ id: z.string() }),
]);

/**
 * Options of a model of this machine that may stand beside it, at the top of a recipe. What they may be is the model's
 * affair: it checks them.
 */
export const modelOptions = {
  adapter: z.unknown().optional(),
  lora: z.unknown().optional(),
  backend: z.unknown().optional(),
  executor: z.unknown().optional(),
  precision: z.unknown().optional(),
};

/** What {@link withModelOptions} reads of a recipe. */
interface WithModel {
  readonly model: z.output<typeof modelSection>;
  readonly reference?: z.output<typeof modelSection> | undefined;
  readonly adapter?: unknown;
  readonly lora?: unknown;
  readonly backend?: unknown;
  readonly executor?: unknown;
  readonly precision?: unknown;
  readonly revision?: string | undefined;
  readonly training: { readonly checkpoint?: unknown };
}

/** Keys that {@link withModelOptions} takes away. */
type Moved = keyof typeof modelOptions;

/** The recipe with the options of its model inside the model's section, and those of the machine in a local reference's too. */
export function withModelOptions<Recipe extends WithModel>(
  recipe: Recipe,
  context: z.core.$RefinementCtx,
): Omit<Recipe, Moved> {
  const { adapter, lora, backend, executor, precision, ...rest } = recipe;
  const { checkpoint, ...training } = recipe.training;
  const { model, reference, revision } = recipe;
  const machine = given({ backend, executor, precision });
  const own = given({ ...machine, adapter, lora, checkpoint, ...(model.id === 'local' && { revision }) });
  for (const [key, value] of Object.entries(own)) {
    if (model[key] === undefined || JSON.stringify(model[key]) === JSON.stringify(value)) continue;
    context.addIssue({ code: 'custom', message: `model.${key} says something else`, path: [key] });
  }
  const ofReference = reference?.id === 'local' ? { ...machine, ...given({ revision }) } : {};
  return {
    ...rest,
    training,
    model: { ...model, ...own },
    ...(reference && { reference: { ...ofReference, ...reference } }),
  } as Omit<Recipe, Moved>;
}

function given(options: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}
