import {
  type GenerationRequest,
  type PromptGroup,
  type Rehearsal,
  type RehearsedWork,
  tokensOf,
} from '@metaapo/core/contracts';
import { firstPack } from '@metaapo/core/numerics';
import { timeWriting } from '@metaapo/core/storage';
import { expectedTensors } from '../checkpoint/expected-tensors.js';
import type { LanguageModelConfig } from '../checkpoint/model-config.js';
import type { LanguageModel } from '../language-model/load-language-model.js';
import type { Scorer } from '../reward/load-scorer.js';

/** How the models of a rehearsal are opened. */
export interface RehearsedModels {
  /** Loads what computes; gives its name. */
  readonly prepare: () => Promise<string>;
  /** With weights that stand in for those of the configuration. */
  readonly openTrained: (config: LanguageModelConfig) => Promise<LanguageModel | Scorer>;
  readonly openReader: (config: LanguageModelConfig) => Promise<LanguageModel | Scorer>;
  /** Whether a training with that configuration and these groups fits into the memory that there is. */
  readonly fits: (config: LanguageModelConfig, groups: readonly PromptGroup[]) => Promise<boolean>;
}

/** Most parameters of the layers that are rehearsed, where one layer has not more. */
const MOST_PARAMETERS = 24e6;
/** Most operations of a pass, and of the steps of generation together. */
const MOST_OPERATIONS = 1e12;
/** Operations a parameter and token: of a forward pass, and of one with its backward pass. */
const [FORWARD, TRAINING] = [2, 6];
/** New tokens of a response from which the pace of generation is read. */
const NEW_TOKENS = 16;

/**
 * Times each kind of work on the first layers of a model and on a part of a micro-batch, all of them where that is not much,
 * and reckons what the whole takes: products grow with the parameters that they read, what is done once with the layers.
 */
export async function rehearse(
  config: LanguageModelConfig,
  work: RehearsedWork,
  models: RehearsedModels,
): Promise<Rehearsal | undefined> {
  const part = firstLayers(config);
  const { all, products } = countParameters(part);
  const whole = countParameters(config);
  const read = within(work.read, FORWARD * products);
  const trained = within(work.trained, TRAINING * products);
  if (!(await models.fits(part, trained))) return undefined;
  const loading = await clocked(models.prepare);
  const trainedModel = await opened(
    () => models.openTrained(part),
    (model) => timeWork(model, work, { read, trained, products }),
  );
  const reader = await opened(
    () => models.openReader(part),
    (model) => repeated(() => readGroups(model, read)),
  );
  const { reading, stepped, updating, generating } = trainedModel.result;
  const growth = { layers: config.layers / part.layers, products: whole.products / products, all: whole.all / all };
  const firsts = reading.extra + stepped.extra + updating.extra + (generating?.first ?? 0);
  return {
    computedBy: `${loading.result}, ${part.layers} of ${config.layers} layers`,
    start: loading.seconds + growth.all * trainedModel.opening + growth.layers * firsts,
    readerStart: growth.all * reader.opening + growth.layers * reader.result.extra,
    readToken: (growth.products * reading.seconds) / sumOf(read),
    trainedToken: (growth.products * stepped.seconds) / sumOf(trained),
    update: growth.all * updating.seconds,
    newToken: generating && growth.products * generating.newToken,
    savedByte: await timeWriting(),
  };
}

type Opened = LanguageModel | Scorer;

/** Opens a model, does something with it, and disposes it: what came of it, and the seconds until it was open. */
async function opened<Result>(open: () => Promise<Opened>, use: (model: Opened) => Promise<Result>) {
  const { result: model, seconds } = await clocked(open);
  try {
    return { opening: seconds, result: await use(model) };
  } finally {
    model.dispose();
  }
}

/** A configuration with as many of its layers as are rehearsed. */
function firstLayers(config: LanguageModelConfig): LanguageModelConfig {
  const { products, head } = countParameters(config);
  const layers = Math.min(
    config.layers,
    Math.max(1, Math.floor((MOST_PARAMETERS * config.layers) / (products - head))),
  );
  const { layerRopes, slidingWindows } = config;
  return {
    ...config,
    layers,
    layerRopes: layerRopes.slice(0, layers),
    slidingWindows: slidingWindows.slice(0, layers),
  };
}

/** Parameters: all, those that products read, and of these those of the head. */
function countParameters(config: LanguageModelConfig) {
  const sizes = [...expectedTensors(config)].map(([name, shape]) => ({
    name,
    size: shape.reduce((product, dimension) => product * dimension, 1),
  }));
  const sum = (counted: typeof sizes): number => counted.reduce((total, { size }) => total + size, 0);
  const head = config.task === 'causal-lm' ? config.vocabularySize * config.hiddenSize : 0;
  return { all: sum(sizes), head, products: head + sum(sizes.filter(({ name }) => name.startsWith('model.layers.'))) };
}

/** As many groups as may be computed, and one at least. */
function within(groups: readonly PromptGroup[], operationsPerToken: number): readonly PromptGroup[] {
  return firstPack(groups, (group) => operationsPerToken * tokensOf(group), MOST_OPERATIONS);
}

const sumOf = (groups: readonly PromptGroup[]): number => groups.reduce((sum, group) => sum + tokensOf(group), 0);

interface RehearsedParts {
  readonly read: readonly PromptGroup[];
  readonly trained: readonly PromptGroup[];
  readonly products: number;
}

async function timeWork(
  model: Opened,
  { optimizer, requests }: RehearsedWork,
  { read, trained, products }: RehearsedParts,
) {
  const reading = await repeated(() => readGroups(model, read));
  const stepped = await repeated(() => pass(model, trained));
  const updating = await repeated(() => model.apply({ ...optimizer, learningRate: 0, step: 1 }));
  const generating = 'evaluate' in model ? await timeGeneration(model, requests, products) : undefined;
  return { reading, stepped, updating, generating };
}

const readGroups = (model: Opened, groups: readonly PromptGroup[]): Promise<unknown> =>
  'evaluate' in model ? model.evaluate(groups) : model.score(groups);

/** A forward pass with its backward pass. */
async function pass(model: Opened, groups: readonly PromptGroup[]): Promise<void> {
  const gradient = (count: number): Float32Array => new Float32Array(count).fill(1 / count);
  if ('evaluate' in model) {
    const ticket = await model.forward(groups);
    return model.backward(ticket, { perResponse: gradient(ticket.sumLogprobs.length) });
  }
  const ticket = await model.forward(groups);
  return model.backward(ticket, gradient(ticket.rewards.length));
}

/** The first run of generation, with few tokens, and what a token takes afterwards. */
async function timeGeneration(model: LanguageModel, requests: readonly GenerationRequest[], products: number) {
  if (model.generate === undefined || requests.length === 0) return undefined;
  const generate = async (maxNewTokens: number): Promise<number> => {
    let tokens = 0;
    const short = requests.map((request) => ({ ...request, maxNewTokens, stopTokenIds: [], stopTexts: undefined }));
    for await (const { generations } of model.generate!(short)) {
      for (const { tokens: drawn } of generations) tokens += drawn.length;
    }
    return tokens;
  };
  const responses = requests.reduce((sum, { count }) => sum + count, 0);
  const most = Math.max(...requests.map(({ maxNewTokens }) => maxNewTokens));
  const affordable = Math.floor(MOST_OPERATIONS / (FORWARD * products * responses));
  const first = await clocked(() => generate(1));
  const { result: tokens, seconds } = await clocked(() =>
    generate(Math.max(2, Math.min(most, NEW_TOKENS, affordable))),
  );
  return { first: first.seconds, newToken: seconds / tokens };
}

/** Seconds of work once it has been done before, and how many more the first time took. */
async function repeated(work: () => Promise<unknown>): Promise<{ readonly seconds: number; readonly extra: number }> {
  const { seconds: first } = await clocked(work);
  let { seconds } = await clocked(work);
  if (seconds < 1) seconds = Math.min(seconds, (await clocked(work)).seconds);
  return { seconds, extra: Math.max(0, first - seconds) };
}

async function clocked<Result>(work: () => Promise<Result>): Promise<{ result: Result; seconds: number }> {
  const started = performance.now();
  const result = await work();
  return { result, seconds: (performance.now() - started) / 1000 };
}
