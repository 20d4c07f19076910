import 'reflect-metadata';
import { container, type DependencyContainer, type Disposable, instanceCachingFactory } from 'tsyringe';
import {
  type PartContext,
  type PartOutlook,
  type Plugin,
  parseOptions,
  partName,
  type Slot,
  sumOfOutlooks,
} from '../contracts/index.js';
import { type PluginRegistry, registerPlugins } from './plugin-registry.js';
import {
  PART_KEYS,
  type PartKey,
  type PartRecipe,
  type PartsRecipe,
  RECIPE_SLOTS,
  type RunParts,
} from './recipe-slots.js';

/** What {@link composeRecipe} needs. */
export interface ComposeOptions<Recipe extends PartsRecipe> {
  readonly plugins: readonly Plugin[];
  readonly recipe: Recipe;
  /** What parts may ask for; default: the working directory and the process' environment. */
  readonly context?: PartContext | undefined;
}

/** The parts that a recipe names, and nothing else. */
export type ComposedParts<Recipe extends PartsRecipe> = {
  readonly [Key in PartKey & keyof Recipe]: undefined extends Recipe[Key] ? RunParts[Key] | undefined : RunParts[Key];
};

/** A recipe whose parts are known and whose options are checked. Parts are made when they are asked for. */
export interface Composition<Recipe extends PartsRecipe> {
  /**
   * The part of a key, made with its checked options the first time; nothing where the recipe names none.
   * @param more what is known by now that parts may ask for, such as the policy
   * @throws whatever the part throws when it is made
   */
  make<Key extends PartKey & keyof Recipe>(key: Key, more?: Partial<PartContext>): Promise<ComposedParts<Recipe>[Key]>;
  /** What the parts of a key say of themselves before they are made: of a list, of each. */
  inspect(key: PartKey & keyof Recipe, more?: Partial<PartContext>): Promise<PartOutlook>;
  /** All parts. What was made is disposed when a later one fails. */
  makeAll(more?: Partial<PartContext>): Promise<ComposedParts<Recipe>>;
  /** Disposes what was made, last first: trackers are closed too. */
  dispose(): Promise<void>;
}

/**
 * Looks up every part that a recipe names and checks its options, without making any.
 * @throws MetaapoError with code `plugin` for an unknown id or a clash of plugins, `config` for options that a part
 * does not accept
 */
export function composeRecipe<Recipe extends PartsRecipe>(options: ComposeOptions<Recipe>): Composition<Recipe> {
  const { plugins, recipe, context = processContext() } = options;
  const registry = registerPlugins(plugins);
  const prepared = new Map(
    PART_KEYS.map((key): [PartKey, readonly PreparedPart[]] => [
      key,
      [recipe[key] ?? []].flat().map((one) => prepare(registry, RECIPE_SLOTS[key], one)),
    ]),
  );
  const child = container.createChildContainer();
  child.registerSingleton(MadeParts);
  for (const [key, parts] of prepared) {
    register(child, key, async (more) => {
      const made: unknown[] = [];
      for (const part of parts) {
        made.push(await part.make({ ...context, ...more }));
        child.resolve(MadeParts).parts.push(made.at(-1));
      }
      return Array.isArray(recipe[key]) ? made : made[0];
    });
  }
  const make = (key: PartKey, more: Partial<PartContext> = {}): Promise<unknown> =>
    child.resolve<PartFactory>(key)(more);
  const dispose = async (): Promise<void> => {
    await child.dispose();
  };
  return {
    make: make as Composition<Recipe>['make'],
    async inspect(key, more) {
      const outlooks: PartOutlook[] = [];
      for (const part of prepared.get(key)!) outlooks.push(await part.inspect({ ...context, ...more }));
      return sumOfOutlooks(outlooks);
    },
    async makeAll(more) {
      try {
        const made: Partial<Record<PartKey, unknown>> = {};
        for (const key of PART_KEYS) if (recipe[key] !== undefined) made[key] = await make(key, more);
        return made as ComposedParts<Recipe>;
      } catch (error) {
        await dispose();
        throw error;
      }
    },
    dispose,
  };
}

/** The parts of a run, and how they are given back. */
export type ComposedRun<Recipe extends PartsRecipe> = ComposedParts<Recipe> & Pick<Composition<Recipe>, 'dispose'>;

/**
 * Makes every part that a recipe names.
 * @throws MetaapoError as {@link composeRecipe} does, and whatever a part throws when it is made
 */
export async function composeRun<Recipe extends PartsRecipe>(
  options: ComposeOptions<Recipe>,
): Promise<ComposedRun<Recipe>> {
  const composition = composeRecipe(options);
  return { ...(await composition.makeAll()), dispose: composition.dispose };
}

type PartFactory = (more: Partial<PartContext>) => Promise<unknown>;

/** The container keeps what a key's factory made: one part a key, whoever asks first. */
function register(child: DependencyContainer, key: PartKey, make: PartFactory): void {
  child.register<PartFactory>(key, {
    useFactory: instanceCachingFactory(() => {
      let made: Promise<unknown> | undefined;
      return (more: Partial<PartContext>) => {
        made ??= make(more);
        return made;
      };
    }),
  });
}

/** A part that is known, and whose options are checked. */
interface PreparedPart {
  make(context: PartContext): Promise<unknown>;
  inspect(context: PartContext): Promise<PartOutlook>;
}

/** A part owns the parts that it is made of; when it fails they are disposed. */
function prepare(registry: PluginRegistry, slot: Slot<unknown>, wanted: PartRecipe): PreparedPart {
  const part = registry.find(slot, wanted.id);
  const options = parseOptions(partName(slot, wanted.id), part.options, optionsOf(wanted));
  const makingInner = (context: PartContext, made: unknown[]): PartContext => ({
    ...context,
    inspectPart: (innerSlot, recipe) => prepare(registry, innerSlot, recipe).inspect(context),
    async makePart(innerSlot, recipe) {
      made.push(await prepare(registry, innerSlot, recipe).make(context));
      return made.at(-1) as never;
    },
  });
  return {
    async make(context) {
      const inner: unknown[] = [];
      try {
        return await part.create(options, makingInner(context, inner));
      } catch (error) {
        await disposeAll(inner);
        throw error;
      }
    },
    async inspect(context) {
      const inner: unknown[] = [];
      try {
        return (await part.inspect?.(options, makingInner(context, inner))) ?? {};
      } finally {
        await disposeAll(inner);
      }
    },
  };
}

function optionsOf({ id: _, ...options }: PartRecipe): Readonly<Record<string, unknown>> {
  return options;
}

/** Parts in the order in which they were made; the container disposes them with itself. */
class MadeParts implements Disposable {
  readonly parts: unknown[] = [];

  dispose(): Promise<void> {
    return disposeAll(this.parts);
  }
}

/** Disposes parts, or closes them, last first; none is left in the list. */
async function disposeAll(parts: unknown[]): Promise<void> {
  for (let part = parts.pop(); part !== undefined; part = parts.pop()) {
    const { dispose, close } = part as { dispose?(): unknown; close?(): unknown };
    await (dispose ?? close)?.call(part);
  }
}

function processContext(): PartContext {
  return {
    baseDirectory: process.cwd(),
    report: (line) => void process.stderr.write(`${line}\n`),
    env: process.env,
  };
}
