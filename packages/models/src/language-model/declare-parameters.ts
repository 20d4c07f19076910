import { MetaapoError } from '@metaapo/core/contracts';
import { type LoraConfig, scalingOf } from '../checkpoint/adapter.js';
import { expectedTensors, type LanguageModelConfig } from '../checkpoint/model-config.js';
import { type AdapterDeclaration, adapterNames, type ParameterDeclaration } from '../network/index.js';

/** The parameters of a model and of its adapter, by name. */
export interface DeclaredParameters {
  readonly base: ReadonlyMap<string, readonly number[]>;
  /** Shapes of the adapter's matrices; empty without one. */
  readonly adapter: ReadonlyMap<string, readonly number[]>;
  readonly parameters: ReadonlyMap<string, ParameterDeclaration>;
  readonly adapters: ReadonlyMap<string, AdapterDeclaration>;
}

/**
 * Declares all weights of a model: everything is trained, or with an adapter only the adapter.
 * @throws MetaapoError with code `config` when a target module does not exist
 */
export function declareParameters(config: LanguageModelConfig, lora: LoraConfig | undefined): DeclaredParameters {
  const base = expectedTensors(config);
  const parameters = new Map<string, ParameterDeclaration>();
  for (const [name, shape] of base) parameters.set(name, { name, shape, isTrainable: lora === undefined });
  const adapter = new Map<string, readonly number[]>();
  const adapters = new Map<string, AdapterDeclaration>();
  for (const module of lora === undefined ? [] : targetedModules(base, lora)) {
    const [rows, columns] = base.get(`${module}.weight`) as [number, number];
    const names = adapterNames(module);
    adapter.set(names.a, [lora!.rank, columns]);
    adapter.set(names.b, [rows, lora!.rank]);
    adapters.set(module, { module, rank: lora!.rank, scaling: scalingOf(lora!) });
  }
  for (const [name, shape] of adapter) parameters.set(name, { name, shape, isTrainable: true });
  return { base, adapter, parameters, adapters };
}

function targetedModules(base: ReadonlyMap<string, readonly number[]>, { targetModules }: LoraConfig): string[] {
  const linear = [...base.keys()]
    .filter((name) => /^model\.layers\..*_proj\.weight$/.test(name))
    .map((name) => name.slice(0, -'.weight'.length));
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
