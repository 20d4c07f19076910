import { MetaapoError } from '@metaapo/core/contracts';
import type { AdaptedModule } from '../checkpoint/adapted-modules.js';
import { ALL_LINEAR, type LoraConfig, scalingOf } from '../checkpoint/adapter.js';
import { expectedTensors, SCORE_WEIGHT } from '../checkpoint/expected-tensors.js';
import type { LanguageModelConfig } from '../checkpoint/model-config.js';
import {
  type AdapterDeclaration,
  adapterNames,
  type ParameterDeclaration,
  type Precision,
} from '../transformer/index.js';

/** The parameters of a model and of its adapter, by name. */
export interface DeclaredParameters {
  readonly base: ReadonlyMap<string, readonly number[]>;
  /** Shapes of the adapter's matrices; empty without one. */
  readonly adapter: ReadonlyMap<string, readonly number[]>;
  readonly parameters: ReadonlyMap<string, ParameterDeclaration>;
  readonly adapters: ReadonlyMap<string, AdapterDeclaration>;
}

/** What the weights are declared for. */
export interface ParameterUse {
  /** The adapter that is trained instead of the weights. */
  readonly lora?: LoraConfig | undefined;
  readonly precision: Precision;
  /** Whether there is any training. */
  readonly isTrained: boolean;
}

/**
 * Declares all weights of a model: everything is trained, or with an adapter only the adapter. Where products are computed
 * in bfloat16, matrices that no training changes are stored in it: those of linear maps, which every product would round
 * again, and of a bfloat16 checkpoint the embeddings too. A score head, which an adapter may hold, is not.
 * @throws MetaapoError with code `config` when a target module does not exist
 */
export function declareParameters(config: LanguageModelConfig, use: ParameterUse): DeclaredParameters {
  const { lora } = use;
  const isFrozen = lora !== undefined || !use.isTrained;
  const isNarrow = isFrozen && use.precision === 'bfloat16';
  const isLossless = config.dtype === 'bfloat16';
  const base = expectedTensors(config);
  const parameters = new Map<string, ParameterDeclaration>();
  for (const [name, shape] of base) {
    const isStoredNarrow = isNarrow && shape.length === 2 && name !== SCORE_WEIGHT && (isLossless || LINEAR.test(name));
    const dtype = isStoredNarrow ? 'bfloat16' : 'float32';
    parameters.set(name, { name, shape, isTrainable: lora === undefined, dtype });
  }
  const adapter = new Map<string, readonly number[]>();
  const adapters = new Map<string, AdapterDeclaration>();
  for (const [module, shape] of lora === undefined ? [] : adaptedBy(lora, config)) {
    const [rows, columns] = base.get(`${module}.weight`) as [number, number];
    const names = adapterNames(module);
    adapter.set(names.a, [shape.rank, columns]);
    adapter.set(names.b, [rows, shape.rank]);
    adapters.set(module, { module, rank: shape.rank, scaling: scalingOf(shape, lora!) });
  }
  for (const [name, shape] of adapter) parameters.set(name, { name, shape, isTrainable: true, dtype: 'float32' });
  return { base, adapter, parameters, adapters };
}

/** Matrices that are read by products alone. */
const LINEAR = /^(model\.layers\..*_proj|lm_head)\.weight$/;

function adaptedBy(lora: LoraConfig, config: LanguageModelConfig): readonly (readonly [string, AdaptedModule])[] {
  if (lora.modules !== undefined) return Object.entries(lora.modules);
  return targetedModules(linearModules(config), lora).map((module) => [module, lora]);
}

/** Names of the linear modules of the blocks: those that can have an adapter. */
export function linearModules(config: LanguageModelConfig): readonly string[] {
  return [...expectedTensors(config).keys()]
    .filter((name) => /^model\.layers\..*_proj\.weight$/.test(name))
    .map((name) => name.slice(0, -'.weight'.length));
}

function targetedModules(linear: readonly string[], { targetModules }: LoraConfig): readonly string[] {
  if (targetModules.includes(ALL_LINEAR[0])) return linear;
  const isTarget = (module: string, target: string): boolean => module === target || module.endsWith(`.${target}`);
  for (const target of targetModules) {
    if (!linear.some((module) => isTarget(module, target))) {
      throw new MetaapoError('config', `there is no module ${target} to adapt`, {
        where: 'LoRA targetModules',
        expected: [...new Set(linear.map((module) => module.split('.').at(-1)))].join(', '),
        got: target,
      });
    }
  }
  return linear.filter((module) => targetModules.some((target) => isTarget(module, target)));
}
