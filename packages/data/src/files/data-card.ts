import { MetaapoError } from '@metaapo/core/contracts';
import { parse } from 'yaml';
import { z } from 'zod';
import { matchesGlob } from './matches-glob.js';
import { dataFilesAmong, type Splits, splitsByRules } from './split-rules.js';

const patterns = z.union([z.string().max(4096), z.array(z.string().max(4096)).max(10_000)]);
const config = z.looseObject({
  config_name: z.string().default('default'),
  data_files: z
    .union([z.string(), z.array(z.string()), z.array(z.strictObject({ split: z.string(), path: patterns }))])
    .optional(),
  data_dir: z.string().optional(),
  default: z.boolean().optional(),
});

/** A configuration of a data set as its card states it. */
export type CardConfig = z.output<typeof config>;

const card = z.looseObject({ configs: z.array(config).max(10_000).optional() });

/**
 * The configurations that a data set's README.md states between its first two `---`; none where it states none.
 * @param where the data set, for errors
 * @throws MetaapoError with code `data` when they cannot be read
 */
export function cardConfigs(where: string, text: string): readonly CardConfig[] {
  const front = /^\uFEFF?---\r?\n([\s\S]*?)\r?\n---[ \t]*(?:\r?\n|$)/.exec(text)?.[1];
  if (front === undefined) return [];
  try {
    return card.parse(parse(front, { maxAliasCount: 100 }) ?? {}).configs ?? [];
  } catch (cause) {
    throw new MetaapoError('data', 'the card of the data set cannot be read', {
      where: `README.md of ${where}`,
      expected: 'configs with config_name and data_files, as load_dataset reads them',
      got: cause instanceof z.ZodError ? z.prettifyError(cause) : (cause as Error).message.split('\n')[0]!,
      remedy: 'Name the data files themselves, or correct the card',
    });
  }
}

/**
 * The configuration of that name, or the one that is meant without a name: the only one, `default`, or the one that says so.
 * @throws MetaapoError with code `data` naming those that there are
 */
export function chosenConfig(where: string, configs: readonly CardConfig[], name: string | undefined): CardConfig {
  const byName = configs.find(({ config_name }) => config_name === name);
  const usual = configs.filter((one) => one.config_name === 'default' || one.default === true);
  const found =
    name === undefined ? (configs.length === 1 ? configs[0] : usual.length === 1 ? usual[0] : undefined) : byName;
  if (found !== undefined) return found;
  throw configError(
    where,
    configs.map(({ config_name }) => config_name),
    name,
  );
}

/** The error of a configuration that is not there, or not named. */
export function configError(where: string, names: readonly string[], name: string | undefined): MetaapoError {
  const summary =
    name === undefined ? 'it is not clear which configuration is meant' : `there is no configuration ${name}`;
  const expected = `one of ${names.join(', ') || '(none)'}`;
  return new MetaapoError('data', summary, { where, expected, remedy: 'Name it with data.config' });
}

/** Splits of a configuration: as its patterns say, or by the usual rules in its directory. */
export function splitsOfConfig({ data_files: files, data_dir = '' }: CardConfig, paths: readonly string[]): Splits {
  const root = data_dir.replace(/^\.?\/+|\/+$/g, '').replace(/^\.$/, '');
  const inside = root === '' ? paths : paths.filter((path) => path.startsWith(`${root}/`));
  const from = root === '' ? 0 : root.length + 1;
  if (files === undefined) {
    const found = splitsByRules(dataFilesAmong(inside.map((path) => path.slice(from))));
    return new Map(
      [...found].map(([split, own]) => [split, own.map((path) => (root === '' ? path : `${root}/${path}`))]),
    );
  }
  const list = [files].flat();
  const bySplit = list.every((one) => typeof one === 'string')
    ? [{ split: 'train', path: list }]
    : (list as readonly { readonly split: string; readonly path: string | string[] }[]);
  return new Map(
    bySplit.map(({ split, path }) => {
      const found = [path].flat().flatMap((pattern) => {
        const stated = pattern.replace(/^\.\//, '');
        return dataFilesAmong(inside).filter((one) => matchesGlob(one.slice(from), stated));
      });
      return [split, [...new Set(found)]];
    }),
  );
}
