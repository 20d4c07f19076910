import type { ObjectiveRecipe } from '@metaapo/core';
import { MetaapoError, type RowForm, type RowsByForm } from '@metaapo/core/contracts';
import {
  type DataFile,
  type LengthLimits,
  readDemonstrations,
  readUnpaired,
  type SequenceReport,
  tokenizeDemonstrations,
  tokenizeUnpaired,
} from '@metaapo/data';
import { dataFiles, type Sources } from './data-files.js';
import { formOf, limitsOf, loadPreferences, reportRows, type TextCoding } from './load-preferences.js';
import { tokenizedRows } from './tokenized-rows.js';

/** Rows of one form as token ids. */
export interface LoadedRows<Form extends RowForm> {
  readonly train: readonly RowsByForm[Form][];
  readonly held: readonly RowsByForm[Form][];
}

type Recipe = Pick<ObjectiveRecipe, 'data'>;
type Loader<Form extends RowForm> = (recipe: Recipe, coding: TextCoding, sources: Sources) => Promise<LoadedRows<Form>>;

/** What the rows of a form are called, and what of a recipe's data only they have. */
const FORMS = {
  preference: { words: 'pairs', keys: ['responseEnd'] },
  demonstration: { words: 'demonstrations', keys: ['column', 'turns'] },
  unpaired: { words: 'judged responses', keys: ['pairs'] },
  sampled: { words: 'prompts with sampled responses', keys: [] },
} as const satisfies Readonly<Record<RowForm, unknown>>;

/** The rows of a form in words. */
export const rowWords = (form: RowForm): string => FORMS[form].words;

const LOADERS: { readonly [Form in RowForm]: Loader<Form> | undefined } = {
  preference: loadPreferences,
  demonstration: ({ data }, coding, sources) => {
    const { column, turns, badRows } = data;
    const form = { ...formOf(data), column, signal: sources.signal };
    return loadSets(data, coding, sources, (name, files, limits) =>
      tokenizedRows(name, coding, {
        kind: ['demonstrations', column, formOf(data)],
        files,
        badRows,
        read: (onBadRow) => readDemonstrations(files, { ...form, onBadRow }),
        options: { vocabularySize: coding.vocabularySize, ...limits, turns },
        tokenize: (found, options) => tokenizeDemonstrations(found, coding.tokenizer, options),
      }),
    );
  },
  unpaired: ({ data }, coding, sources) => {
    const { pairs, badRows } = data;
    const form = { ...formOf(data), pairs, signal: sources.signal };
    return loadSets(data, coding, sources, (name, files, limits) =>
      tokenizedRows(name, coding, {
        kind: ['unpaired', pairs, formOf(data)],
        files,
        badRows,
        read: (onBadRow) => readUnpaired(files, { ...form, onBadRow }),
        options: { vocabularySize: coding.vocabularySize, ...limits },
        tokenize: (found, options) => tokenizeUnpaired(found, coding.tokenizer, options),
      }),
    );
  },
  sampled: undefined,
};

/**
 * Training and held-out rows of a recipe in the form that its objective takes; what was cut or dropped is reported.
 * @throws MetaapoError with code `config` when no data set has such rows, or for keys of data that only other forms have
 */
export function loadRows<Form extends RowForm>(
  form: Form,
  recipe: Recipe,
  coding: TextCoding,
  sources: Sources,
): Promise<LoadedRows<Form>> {
  const load = LOADERS[form] as Loader<Form> | undefined;
  if (load === undefined) throw noData(form);
  checkDataKeys(form, recipe);
  return load(recipe, coding, sources);
}

function noData(form: RowForm): MetaapoError {
  return new MetaapoError('config', `the objective trains on ${rowWords(form)}, which no data set holds`, {
    where: 'recipe objective',
    expected: 'an objective over preferences, demonstrations or judged responses',
    remedy: 'Train it with `metaapo run`, which samples and scores responses',
  });
}

function checkDataKeys(form: RowForm, { data }: Recipe): void {
  const own: readonly string[] = FORMS[form].keys;
  const foreign = Object.values(FORMS)
    .flatMap(({ keys }): readonly string[] => keys)
    .find((key) => !own.includes(key) && data[key as keyof typeof data] !== undefined);
  if (foreign === undefined) return;
  throw new MetaapoError('config', `it does nothing for an objective over ${rowWords(form)}`, {
    where: `recipe data.${foreign}`,
    remedy: 'Take it out, or choose another objective',
  });
}

/** A data set as token ids, by its name in messages. */
type ReadSet<Row> = (
  name: string,
  files: readonly DataFile[],
  limits: LengthLimits & Pick<ObjectiveRecipe['data'], 'maxRows'>,
) => Promise<{ readonly rows: readonly Row[]; readonly report: SequenceReport & { readonly summary: string } }>;

async function loadSets<Row>(
  data: ObjectiveRecipe['data'],
  coding: TextCoding,
  sources: Sources,
  read: ReadSet<Row>,
): Promise<{ readonly train: readonly Row[]; readonly held: readonly Row[] }> {
  const load = async (name: string, source: string | string[], split?: string, maxRows?: number) => {
    const files = await dataFiles(source, { split, config: data.config }, sources);
    const { rows, report } = await read(name, files, { ...limitsOf(data, coding), maxRows });
    reportRows(name, report, coding, sources);
    return rows;
  };
  const train = await load('train', data.train, data.trainSplit, data.maxRows);
  return { train, held: data.eval === undefined ? [] : await load('eval', data.eval, data.evalSplit) };
}
