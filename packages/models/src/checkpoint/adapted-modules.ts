import { type AdapterSettings, EVERY_MODULE, unreadAdapter } from './adapter-settings.js';
import type { Checkpoint } from './open-checkpoint.js';

/** A matrix that has an adapter. */
export interface AdaptedModule {
  readonly rank: number;
  readonly alpha: number;
}

/** The score head of a reward model in the file of an adapter. */
export const ADAPTER_SCORE = 'base_model.model.score.weight';

/** Names of the two matrices of a module; what stands before them is the module. */
const MATRIX = /^base_model\.model\.(.+)\.lora_(?:A|B)\.weight$/;

/**
 * The modules of an adapter with rank and alpha, as PEFT would have them: the tensors say which modules there are and at
 * which rank, the settings at which alpha; where they contradict each other the adapter is refused.
 * @param linear names of the modules of the model that can be adapted
 * @throws MetaapoError with code `checkpoint`
 */
export function adaptedModules(
  settings: AdapterSettings,
  { shapes, where }: Pick<Checkpoint, 'shapes' | 'where'>,
  linear: readonly string[],
): Readonly<Record<string, AdaptedModule>> {
  const found = new Set(modulesIn([...shapes.keys()], settings, where));
  const stray = [...found].find((module) => !linear.includes(module));
  if (stray !== undefined) {
    const last = [...new Set(linear.map((module) => module.split('.').at(-1)))].join(', ');
    throw unreadAdapter(where, `there is no module ${stray} to adapt`, `linear modules of the blocks: ${last}`, stray);
  }
  for (const module of linear) {
    const isTarget = isTargeted(module, settings);
    if (isTarget === undefined || isTarget === found.has(module)) continue;
    const got = isTarget ? `no tensor of ${module}` : `tensors of ${module}`;
    const summary = isTarget
      ? `tensor base_model.model.${module}.lora_A.weight is missing`
      : 'there are tensors of a module that the settings leave out';
    throw unreadAdapter(where, summary, `the modules that ${settings.file} lists`, got);
  }
  if (found.size === 0) throw unreadAdapter(where, 'there are no matrices', 'lora_A and lora_B of some module', 'none');
  return Object.fromEntries(
    linear.filter((module) => found.has(module)).map((one) => [one, shapeOf(one, settings, shapes)]),
  );
}

function modulesIn(names: readonly string[], { hasScoreHead }: AdapterSettings, where: string): readonly string[] {
  return names.flatMap((name) => {
    const module = MATRIX.exec(name)?.[1];
    if (module !== undefined) return [module];
    if (hasScoreHead && name === ADAPTER_SCORE) return [];
    throw unreadAdapter(where, `tensor ${name} is not supported`, 'lora_A and lora_B of linear modules alone', name);
  });
}

/** Rank by the first matrix; the settings must state the same. */
function shapeOf(module: string, settings: AdapterSettings, shapes: Checkpoint['shapes']): AdaptedModule {
  const { r, lora_alpha: alpha, rank_pattern: ranks, alpha_pattern: alphas, file } = settings;
  const rank = patternValue(ranks, module, file) ?? r;
  const found = shapes.get(`base_model.model.${module}.lora_A.weight`)?.[0];
  if (found !== undefined && found !== rank) {
    throw unreadAdapter(file, `the rank of ${module} is not that of its tensors`, `${found}`, `${rank}`);
  }
  return { rank, alpha: patternValue(alphas, module, file) ?? alpha };
}

/** The value of the first pattern that fits the end of a module's name. */
function patternValue(
  patterns: Readonly<Record<string, number>> | null | undefined,
  module: string,
  file: string,
): number | undefined {
  for (const [pattern, value] of Object.entries(patterns ?? {})) {
    const expression = expressionOf(`^(?:.*\\.)?(?:${pattern})$`);
    if (expression === undefined) {
      throw unreadAdapter(file, 'a pattern cannot be read', 'a regular expression without groups that repeat', pattern);
    }
    if (expression.test(module)) return value;
  }
  return undefined;
}

/**
 * A regular expression of Python where JavaScript reads it alike; `undefined` where it may not, or may take for ever: what
 * the strict mode refuses, and groups that repeat.
 */
function expressionOf(source: string): RegExp | undefined {
  if (source.length > 1000 || /\)[*+{]/.test(source)) return undefined;
  try {
    return new RegExp(source, 'u');
  } catch {
    return undefined;
  }
}

/** Whether PEFT would adapt a module; `undefined` where the settings do not say, so that the tensors do. */
function isTargeted(module: string, settings: AdapterSettings): boolean | undefined {
  const { target_modules: targets, exclude_modules: excluded, layers_to_transform: layers } = settings;
  const isExcluded = isNamed(module, excluded ?? []);
  if (isExcluded === true) return false;
  if (targets === null || targets === undefined || isExcluded === undefined) return undefined;
  if (targets === EVERY_MODULE) return true;
  if (typeof targets === 'string') return isNamed(module, targets);
  const indices = [layers ?? []].flat();
  if (targets.includes(module) || indices.length === 0) return isNamed(module, targets);
  const index = Number(/^model\.layers\.(\d+)\./.exec(module)?.[1]);
  const pattern = [settings.layers_pattern ?? []].flat();
  if (pattern.length > 0 && !pattern.includes('layers')) return undefined;
  return isNamed(module, targets) === true && indices.includes(index);
}

/** A list names ends of modules, a text is a regular expression for the whole name. */
function isNamed(module: string, names: string | readonly string[]): boolean | undefined {
  if (typeof names === 'string') return names === '' ? false : expressionOf(`^(?:${names})$`)?.test(module);
  return names.some((name) => module === name || module.endsWith(`.${name}`));
}
