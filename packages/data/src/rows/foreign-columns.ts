import { type DataRow, describeValue, isList, rowError } from './data-row.js';

/** Columns with what is not text, which no model here reads. */
const MEDIA = ['images', 'image', 'videos', 'video', 'audio', 'audios'] as const;

/** Columns by which other trainers change the loss of a row. */
const TRAINED = [
  'margin',
  'sample_weight',
  'ref_chosen_logps',
  'ref_rejected_logps',
  'reference_chosen_logps',
  'reference_rejected_logps',
  'reference_logps',
  'completion_mask',
  'assistant_masks',
  'loss_mask',
] as const;

/** Columns that change numbers elsewhere and are read by nothing here, of rows that are answered. */
export const FOREIGN_TO_PROMPTS: readonly string[] = MEDIA;

/** The same of rows that are trained. */
export const FOREIGN_TO_TRAINING: readonly string[] = [...MEDIA, ...TRAINED];

/**
 * Refuses columns that change numbers elsewhere: a row would otherwise mean something else here without a word.
 * @throws MetaapoError with code `data` for the first that holds anything
 */
export function refuseForeign(row: DataRow, foreign: readonly string[]): void {
  const column = foreign.find((name) => holdsAnything(row.values[name]));
  if (column === undefined) return;
  throw rowError(row, `\`${column}\` changes what other trainers compute, and nothing reads it here`, {
    expected: 'columns that are read, or that change nothing',
    got: describeValue(row.values[column]),
    remedy: `Leave the column out with data.columns: {${column}: false}, if the rows mean the same without it`,
  });
}

const holdsAnything = (value: unknown): boolean =>
  value !== undefined && value !== null && value !== '' && !(isList(value) && value.length === 0);
