import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MetaapoError } from '@metaapo/core/contracts';
import { RUN_FILES } from '@metaapo/core/storage';
import { parseYaml } from './parse-yaml-value.js';

/** Keys that change where, when or how fast something happens, and no number. */
const FREE_KEYS: readonly RegExp[] = [
  /^output$/,
  /^trackers\b/,
  /^cachedTokens$/,
  /^training\.(microBatchTokens|evaluateEvery|saveEvery)$/,
  /^(model|reference)\.checkpoint$/,
];

/**
 * Compares the recipe of a resumed run with the one that it was started with.
 * @param allowed differences are reported and accepted
 * @throws MetaapoError with code `config` that lists every key that differs, old value -> new value
 */
export async function checkResumedRecipe(
  output: string,
  recipe: object,
  allowed: boolean,
  report: (line: string) => void,
): Promise<void> {
  const file = join(output, RUN_FILES.recipe);
  const text = await readFile(file, 'utf8').catch(() => undefined);
  if (text === undefined) return;
  const differences = differencesOf(leavesOf(parseYaml(file, text)), leavesOf(JSON.parse(JSON.stringify(recipe))));
  if (differences.length === 0) return;
  if (allowed) {
    for (const line of differences) report(`changed: ${line}`);
    return;
  }
  throw new MetaapoError('config', 'the recipe is not the one that this run was started with', {
    where: file,
    got: differences.join('; '),
    remedy:
      'Put the old values back, start another run with --set output=..., or accept the change with --allow-changes',
  });
}

/** The values of a recipe that decide numbers, as one text: all but those that {@link FREE_KEYS} and {@link LAST_BITS} name. */
export function decidingValues(recipe: object): string {
  const leaves = [...leavesOf(JSON.parse(JSON.stringify(recipe)))].sort(([one], [other]) => (one < other ? -1 : 1));
  return JSON.stringify(leaves.filter(([path]) => ![...FREE_KEYS, LAST_BITS].some((pattern) => pattern.test(path))));
}

/** Keys that change how something is computed: results agree within tolerances, and not to the last bit. */
const LAST_BITS = /^(model|reference)\.(backend|executor|precision)$/;

/** Values by path, `training.learningRate`; lists count as values. */
function leavesOf(value: unknown, path = ''): ReadonlyMap<string, string> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return new Map([[path, JSON.stringify(value)]]);
  return new Map(
    Object.entries(value).flatMap(([key, inner]) => [...leavesOf(inner, path === '' ? key : `${path}.${key}`)]),
  );
}

function differencesOf(before: ReadonlyMap<string, string>, after: ReadonlyMap<string, string>): readonly string[] {
  const paths = [...new Set([...before.keys(), ...after.keys()])].sort();
  return paths
    .filter((path) => before.get(path) !== after.get(path) && !FREE_KEYS.some((pattern) => pattern.test(path)))
    .map((path) => {
      const note = LAST_BITS.test(path) ? ' (moves bits: not the undisturbed run to the last digit)' : '';
      return `${path}: ${before.get(path) ?? '(absent)'} -> ${after.get(path) ?? '(absent)'}${note}`;
    });
}
