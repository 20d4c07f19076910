import 'reflect-metadata';
import { container, type DependencyContainer, instanceCachingFactory } from 'tsyringe';
import {
  type AnyPart,
  LOSS,
  META_LEARNER,
  type MetaLearner,
  PAIR_RULE,
  type PairRule,
  type PartContext,
  type Plugin,
  type PreferenceLoss,
  parseOptions,
  partName,
  REWARD_MODEL,
  type ResponseSampler,
  type RewardModel,
  SAMPLER,
  SELECTION_RULE,
  type SelectionRule,
  type Slot,
  TRACKER,
  type Tracker,
} from '../contracts/index.js';
import { registerPlugins } from './plugin-registry.js';

/** A part by id, with its options beside the id. */
export interface PartRecipe {
  readonly id: string;
  readonly [option: string]: unknown;
}

/** Which part fills each slot. */
export interface PartsRecipe {
  readonly loss: PartRecipe;
  readonly metaLearner?: PartRecipe | undefined;
  readonly selection?: PartRecipe | undefined;
  readonly sampler?: PartRecipe | undefined;
  readonly rewardModel?: PartRecipe | undefined;
  readonly pairs?: PartRecipe | undefined;
  readonly trackers?: readonly PartRecipe[] | undefined;
}

/** The parts of a run. */
export interface RunParts {
  readonly loss: PreferenceLoss;
  readonly metaLearner: MetaLearner | undefined;
  readonly selection: SelectionRule | undefined;
  readonly sampler: ResponseSampler | undefined;
  readonly rewardModel: RewardModel | undefined;
  readonly pairs: PairRule | undefined;
  readonly trackers: readonly Tracker[];
}

/** What {@link composeRun} needs. */
export interface ComposeOptions {
  readonly plugins: readonly Plugin[];
  readonly recipe: PartsRecipe;
  /** What parts may ask for; default: the working directory and the process' environment. */
  readonly context?: PartContext | undefined;
}

/**
 * Makes the part that the recipe names in each slot.
 * @throws MetaapoError with code `plugin` for an unknown id or a clash of plugins, `config` for options that a part
 * does not accept
 */
export async function composeRun({ plugins, recipe, context }: ComposeOptions): Promise<RunParts> {
  const make = partMaker(plugins, context);
  const trackers = await makeTrackers(make, recipe.trackers);
  return {
    loss: (await make(LOSS, recipe.loss))!,
    metaLearner: await make(META_LEARNER, recipe.metaLearner),
    selection: await make(SELECTION_RULE, recipe.selection),
    sampler: await make(SAMPLER, recipe.sampler),
    rewardModel: await make(REWARD_MODEL, recipe.rewardModel),
    pairs: await make(PAIR_RULE, recipe.pairs),
    trackers,
  };
}

/**
 * Checks that every part that a recipe names is there and takes its options, without making any.
 * @throws MetaapoError as {@link composeRun} does
 */
export async function checkParts(plugins: readonly Plugin[], recipe: Partial<PartsRecipe>): Promise<void> {
  const registry = registerPlugins(plugins);
  const { loss, metaLearner, selection, sampler, rewardModel, pairs, trackers = [] } = recipe;
  const wanted: readonly (readonly [Slot<unknown>, PartRecipe | undefined])[] = [
    [LOSS, loss],
    [META_LEARNER, metaLearner],
    [SELECTION_RULE, selection],
    [SAMPLER, sampler],
    [REWARD_MODEL, rewardModel],
    [PAIR_RULE, pairs],
    ...trackers.map((tracker) => [TRACKER, tracker] as const),
  ];
  for (const [slot, part] of wanted) if (part !== undefined) checkedOptions(registry.find(slot, part.id), part);
}

/**
 * Makes the trackers that a recipe names, for a training without other parts.
 * @throws MetaapoError as {@link composeRun} does
 */
export function composeTrackers(
  plugins: readonly Plugin[],
  recipe: readonly PartRecipe[],
  context?: PartContext | undefined,
): Promise<readonly Tracker[]> {
  return makeTrackers(partMaker(plugins, context), recipe);
}

type PartMaker = <Part>(slot: Slot<Part>, wanted: PartRecipe | undefined) => Promise<Part | undefined>;

function partMaker(plugins: readonly Plugin[], context: PartContext = processContext()): PartMaker {
  const registry = registerPlugins(plugins);
  const child = container.createChildContainer();
  const create = async <Part>(slot: Slot<Part>, wanted: PartRecipe): Promise<Part> => {
    const part = registry.find(slot, wanted.id);
    return part.create(checkedOptions(part, wanted), { ...context, makePart: create }) as Part | Promise<Part>;
  };
  return async (slot, wanted) => wanted && resolvePart(child, slot, () => create(slot, wanted));
}

async function makeTrackers(make: PartMaker, wanted: readonly PartRecipe[] = []): Promise<readonly Tracker[]> {
  const trackers: Tracker[] = [];
  for (const tracker of wanted) trackers.push((await make(TRACKER, tracker))!);
  return trackers;
}

function resolvePart<Part>(
  child: DependencyContainer,
  slot: Slot<Part>,
  create: () => Part | Promise<Part>,
): Part | Promise<Part> {
  child.register(slot, { useFactory: instanceCachingFactory(create) });
  return child.resolve<Part | Promise<Part>>(slot);
}

function checkedOptions(part: AnyPart, { id, ...given }: PartRecipe): unknown {
  return parseOptions(partName(part.slot, id), part.options, given);
}

function processContext(): PartContext {
  return {
    baseDirectory: process.cwd(),
    report: (line) => void process.stderr.write(`${line}\n`),
    env: process.env,
  };
}
