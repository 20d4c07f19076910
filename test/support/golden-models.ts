import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Models of a directory that have golden values, by what they end with. */
export interface GoldenModelNames {
  readonly languageModels: readonly string[];
  readonly rewardModels: readonly string[];
}

/** Every model of a directory of golden values: a new one takes part in all tests as soon as it lies there. */
export function goldenModels(directory: string): GoldenModelNames {
  const names = readdirSync(directory).filter((name) =>
    ['config.json', 'golden.safetensors'].every((file) => existsSync(join(directory, name, file))),
  );
  const isReward = (name: string): boolean => String(configOf(directory, name).architectures).includes('Sequence');
  return { languageModels: names.filter((name) => !isReward(name)), rewardModels: names.filter(isReward) };
}

/** One language model of each family of a directory. */
export function oneOfEachFamily(directory: string): readonly string[] {
  const ofFamilies = new Map(
    goldenModels(directory).languageModels.map((name) => [configOf(directory, name).model_type, name]),
  );
  return [...ofFamilies.values()];
}

/** config.json of a model of a directory. */
export function configOf(directory: string, name: string): Readonly<Record<string, unknown>> {
  return JSON.parse(readFileSync(join(directory, name, 'config.json'), 'utf8'));
}
