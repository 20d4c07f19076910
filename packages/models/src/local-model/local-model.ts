import { resolve } from 'node:path';
import {
  definePart,
  type MemoryEstimate,
  MODEL,
  type ModelRole,
  type ModelSource,
  type PartContext,
  type PartDefinition,
  parseOptions,
  type ReadingUse,
  type TrainingUse,
  type TrainingWorkload,
  weightBytes,
} from '@metaapo/core/contracts';
import { isPresent } from '@metaapo/core/storage';
import {
  availableMemory,
  type Backend,
  chooseExecutor,
  currentBackend,
  describeKernels,
  kernelsOf,
  selectBackend,
} from '@metaapo/engine';
import { adapterBase, openAdapter } from '../checkpoint/adapter.js';
import { type LanguageModelConfig, withScoreHead } from '../checkpoint/model-config.js';
import { openCheckpoint, requireOneLabel } from '../checkpoint/open-checkpoint.js';
import { linearModules } from '../language-model/declare-parameters.js';
import { estimateTrainingMemory } from '../language-model/estimate-memory.js';
import { type LanguageModel, openLanguageModel } from '../language-model/load-language-model.js';
import {
  type LoadedTextModel,
  openTextModel,
  readTextSource,
  type TextSource,
} from '../language-model/load-text-model.js';
import type { OpeningOptions } from '../language-model/opening-options.js';
import { openScorer, openTextScorer, type Scorer } from '../reward/load-scorer.js';
import { type FoundModel, findModel, type ModelFilesOptions, secondAdapter } from './find-model.js';
import {
  type LocalModelOptions,
  type LocalModelSettings,
  localModelOptions,
  loraOptions,
} from './local-model-options.js';
import { requireRole } from './model-role.js';
import { profileModel } from './profile-model.js';
import { rehearse } from './rehearse.js';

/** What a source of models on this machine asks of its surroundings. */
export type LocalModelContext = Pick<PartContext, 'report' | 'signal' | 'templateDate'>;

/**
 * A language model of a Hugging Face directory or hub id, computed on this machine by TensorFlow.js.
 * @throws MetaapoError with code `config` for an option that is unknown or out of bounds
 */
export function localModel(options: LocalModelOptions, context: LocalModelContext): ModelSource {
  const { report, signal, templateDate } = context;
  const settings = parseOptions('model local', localModelOptions, options);
  const start = async (from?: ModelFilesOptions): Promise<FoundModel> => {
    const { path, revision, adapter, lora: begun } = settings;
    const found = await findModel(path, { revision, report, signal, ...from }, adapter);
    if (begun === undefined || found.adapter === undefined) return found;
    throw secondAdapter(path, found.name.name, 'a new adapter (lora)');
  };
  const prepare = once(() => prepareBackend(settings, report));
  const source = once(async () => {
    const text = await readTextSource({ ...(await start({ withoutWeights: true })), templateDate });
    for (const warning of text.warnings) report(`Warning: ${warning}`);
    return text;
  });
  /** All that is opened with: weights are fetched last. */
  const startWith = async (role?: ModelRole): Promise<Started> => {
    const text = await source();
    if (role !== undefined) requireRole(role, text, settings);
    const { directory, adapter } = await start();
    await prepare();
    return { text: { ...text, directory }, adapter };
  };
  /** An adapter on the model itself lies on the very files that it was trained on. */
  const findSaved = async (saved: string): Promise<FoundModel> => {
    const base = await adapterBase(saved);
    const { name, directory } = base === undefined ? {} : await source();
    if (base === undefined || name?.name !== base.name) return findModel(saved, { report, signal });
    return { ...(await findModel(directory!, { report, signal }, saved)), name };
  };
  const { executor, precision, checkpoint } = settings;
  const ways = { executor, precision, checkpoint };
  const openTrained = async (
    { optimizer, seed, longestRow, cachedTokens }: TrainingUse,
    more: OpeningOptions = {},
  ): Promise<LoadedTextModel> => {
    const { text, adapter } = await startWith('policy');
    const begun = settings.lora && { ...settings.lora, seed };
    return openTextModel(text, { ...ways, optimizer, longestRow, cachedTokens, adapter, lora: begun, ...more });
  };
  return {
    id: 'local',
    options: settings,
    async describe(role) {
      const text = await source();
      if (role !== undefined) {
        requireRole(role, text, settings);
        await requireWeights(settings, text);
      }
      return text.description;
    },
    openPolicy: (use) => openTrained(use),
    async openReference(from, use: ReadingUse) {
      if (from === 'start') {
        const { text, adapter } = await startWith('policy');
        return openTextModel(text, { ...ways, ...use, adapter });
      }
      const found = await findSaved(from);
      await prepare();
      return openTextModel(await readTextSource({ ...found, templateDate }), {
        ...ways,
        ...use,
        adapter: found.adapter,
      });
    },
    async openScorer({ optimizer, seed, longestRow }) {
      const newHead = optimizer && { seed: seed ?? 0 };
      const { text, adapter } = await startWith(newHead === undefined ? 'scorer' : 'new-scorer');
      const { normalizeReward } = settings;
      return openTextScorer(text, { ...ways, optimizer, longestRow, adapter, newHead, normalizeReward });
    },
    estimateMemory: async (workload) => ({
      ...memoryOf((await source()).config, settings, workload),
      available: await availableMemory(settings.backend),
    }),
    async rehearse(work) {
      const { directory, config } = await source();
      const { optimizer, seed, longestRow, cachedTokens, trains = 'policy' } = work;
      const own = trains === 'scorer' ? withScoreHead(config) : config;
      const newHead = trains === 'scorer' ? { seed } : undefined;
      const standIn = { ...ways, longestRow, weights: 'stand-in' } as const;
      const begun = settings.adapter === undefined ? settings.lora : loraOptions.parse({});
      const open = (part: LanguageModelConfig, options: Partial<TrainingUse>): Promise<LanguageModel | Scorer> =>
        trains === 'scorer'
          ? openScorer(directory, part, { ...standIn, ...options, newHead })
          : openLanguageModel(directory, part, { ...standIn, ...options, lora: begun && { ...begun, seed } });
      return rehearse(own, work, {
        prepare: async () => (await prepare()).id,
        openTrained: (part) => open(part, { optimizer, cachedTokens }),
        openReader: (part) => open(part, {}),
        async fits(part, groups) {
          const available = await availableMemory(settings.backend);
          return available === undefined || memoryOf(part, settings, { ...work, groups }).total < available;
        },
      });
    },
    async exportTo(directory, dtype) {
      const { text, adapter } = await startWith();
      const open = text.config.task === 'causal-lm' ? openLanguageModel : openScorer;
      const { tokenizerFiles } = text;
      const model = await open(text.directory, text.config, { adapter, tokenizerFiles, executor: 'eager' });
      try {
        await model.saveMerged(directory, dtype);
      } finally {
        model.dispose();
      }
    },
    async *profile(groups, use) {
      const { id: backend } = await prepare();
      const open = async (options: OpeningOptions) => (await openTrained(use, options)).model;
      yield* profileModel(groups, use, { ...settings, backend, open });
    },
  };
}

/** A start whose weights are there. */
interface Started {
  readonly text: TextSource;
  readonly adapter: string | undefined;
}

/** Looks whether weights that need not be fetched are there, and whether an adapter's belong to the model. */
async function requireWeights({ path, adapter }: LocalModelSettings, found: TextSource): Promise<void> {
  const { directory, name, config, adapter: on } = found;
  const isFetched = name === undefined || resolve(name.name) !== resolve(directory);
  if (!isFetched) {
    const weights = await openCheckpoint(directory);
    await weights.close();
    if (config.task === 'sequence-classification' && on === undefined) requireOneLabel(weights);
  }
  if (on === undefined || !isPresent(adapter ?? path)) return;
  await (await openAdapter(on, linearModules(config))).weights.close();
}

/** The result of work that is done at most once. */
function once<Result>(work: () => Promise<Result>): () => Promise<Result> {
  let result: Promise<Result> | undefined;
  return () => {
    result ??= work();
    return result;
  };
}

/** What the last model was opened on: TensorFlow.js computes all of a process' models on one backend. */
let inUse: Backend | undefined;

/**
 * Selects the backend; says which one and which executor, and why. A model that names none, such as a reward model beside
 * a policy, is computed on that of the others.
 */
async function prepareBackend(
  { backend, executor }: LocalModelSettings,
  report: (line: string) => void,
): Promise<Backend> {
  if (backend === undefined && inUse !== undefined && inUse.id === currentBackend()) return inUse;
  const chosen = await selectBackend(backend === undefined ? {} : { prefer: backend });
  inUse = chosen;
  report(`Backend: ${chosen.reason}`);
  const { executor: runs, reason } = chooseExecutor(executor);
  report(`Executor: ${runs} (${reason})${runs === 'compiled' ? `, ${describeKernels()}` : ''}`);
  return chosen;
}

/** The weights alone are asked for: any micro-batch will do. */
const ANY_GROUP = { prompt: Int32Array.of(0), responses: [Int32Array.of(0)] };

function memoryOf(
  stored: LanguageModelConfig,
  settings: LocalModelSettings,
  { groups, longestRow, cachedTokens, trains }: TrainingWorkload,
): MemoryEstimate {
  const config = trains === 'scorer' && stored.task === 'causal-lm' ? withScoreHead(stored) : stored;
  const { parameters, total, ...parts } = estimateTrainingMemory({
    ...{ config, longestRow, cachedTokens },
    lora: settings.lora,
    precision: settings.precision,
    checkpoint: settings.checkpoint,
    groups: groups.length === 0 ? [ANY_GROUP] : groups,
    kernels: ['auto', 'compiled'].includes(settings.executor) ? kernelsOf('compiled') : undefined,
  });
  return { parameters, total, parts };
}

/** A path that counts from a directory where there is something, else a hub id as it is. */
function placeOf(adapter: string, baseDirectory: string): string {
  const path = resolve(baseDirectory, adapter);
  return isPresent(path) ? path : adapter;
}

/** {@link localModel} as a part. */
export const localModelPart: PartDefinition<ModelSource, LocalModelSettings> = definePart<
  ModelSource,
  LocalModelSettings
>({
  slot: MODEL,
  id: 'local',
  summary: 'A model of a Hugging Face directory or hub id, computed on this machine.',
  options: localModelOptions,
  create: (options, context) => sourceOf(options, context),
  async inspect(options, context) {
    const source = sourceOf(options, context);
    await source.describe('policy');
    return { memory: await weightBytes(source) };
  },
});

function sourceOf(options: LocalModelSettings, { baseDirectory, ...context }: PartContext): ModelSource {
  return localModel({ ...options, adapter: options.adapter && placeOf(options.adapter, baseDirectory) }, context);
}
