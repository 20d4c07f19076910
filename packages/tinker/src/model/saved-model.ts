import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MetaapoError } from '@metaapo/core/contracts';
import { z } from 'zod';

/** The file that says where a model lies on its service. */
const FILE = 'service.json';

const schema = z.strictObject({
  format: z.literal(1),
  /** Address of the service when it was saved; another one may have taken its place. */
  url: z.string().max(4096),
  base: z.string().max(4096),
  rank: z.int().min(0).max(65_536),
  /** Checkpoint with AdamW's moments. */
  weights: z.string().min(1).max(4096),
  /** Updates that it has had. */
  updates: z.int().min(0),
});

/** A model that was saved on a service. */
export type SavedOnService = z.infer<typeof schema>;

/** Writes where a model lies on its service into a directory that is there. */
export async function writeSaved(directory: string, saved: Omit<SavedOnService, 'format'>): Promise<void> {
  const content: SavedOnService = { format: 1, ...saved };
  await writeFile(join(directory, FILE), `${JSON.stringify(content, null, 2)}\n`);
}

/**
 * Reads what {@link writeSaved} wrote.
 * @throws MetaapoError with code `checkpoint` when there is none, or it is of another base model or rank
 */
export async function readSaved(
  directory: string,
  { base, rank }: Pick<SavedOnService, 'base' | 'rank'>,
): Promise<SavedOnService> {
  const file = join(directory, FILE);
  const saved = await parsedFile(file);
  if (saved.base === base && saved.rank === rank) return saved;
  throw new MetaapoError('checkpoint', 'this is a state of another model', {
    where: file,
    expected: `base ${base}, rank ${rank}`,
    got: `base ${saved.base}, rank ${saved.rank}`,
    remedy: 'Give base and rank of the recipe that wrote it',
  });
}

async function parsedFile(file: string): Promise<SavedOnService> {
  try {
    return schema.parse(JSON.parse(await readFile(file, 'utf8')));
  } catch (cause) {
    throw new MetaapoError('checkpoint', 'there is no model of a training service', {
      where: file,
      expected: 'what this model source saved',
      got: (cause as NodeJS.ErrnoException).code === 'ENOENT' ? 'no such file' : 'something else',
      remedy: 'Name the directory of a model that was trained with model: { id: tinker }',
      cause,
    });
  }
}
