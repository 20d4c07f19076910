import { createHash } from 'node:crypto';
import { join } from 'node:path';
import {
  isMetaapoError,
  type Objective,
  type PromptGroup,
  type RowForm,
  type RowsByForm,
  type TokenizedPreference,
  type TrainableModel,
} from '../contracts/index.js';
import { concatenated } from '../numerics/index.js';
import { isPresent, makeDirectory, readArrays, writeArrays } from '../storage/index.js';
import { groupOf, type RowLogprobs, type RowProgress } from './response-logprobs.js';
import { policyPasses, splitBy } from './training-passes.js';

/** How to get a reference's log-probabilities. */
export interface ReferenceOptions<Form extends RowForm = 'preference'> {
  readonly model: TrainableModel;
  readonly rows: readonly RowsByForm[Form][];
  /** What is computed of a row, and what is read of it; by default sums over the responses of preferences. */
  readonly objective?: Pick<Objective<Form>, 'rowForm' | 'groupsOf' | 'readsReference'> | undefined;
  readonly microBatchTokens: number;
  /** Directory of the cache; absent, nothing is kept. */
  readonly cacheDirectory?: string | undefined;
  /** Hears of an entry of the cache that is not as it was written, and is computed anew. */
  readonly warn?: ((line: string) => void) | undefined;
  readonly progress?: RowProgress | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Rows of a file of the cache: what an interruption loses at most. */
const CHUNK_ROWS = 512;

/**
 * Log-probabilities of every response under the reference, from the cache where they are in it: an array a row, of sums
 * `[responses]` or of tokens `[tokens]`, float32. The key is made of the model's configuration and weights, the token ids
 * (hence data, tokenizer and template) and what computed them. Rows are computed and kept in chunks, so that an interrupted
 * pass goes on where it stopped.
 */
export async function referenceLogprobs<Form extends RowForm = 'preference'>(
  options: ReferenceOptions<Form>,
): Promise<RowLogprobs[]> {
  const { objective, progress } = options;
  const groupsOf =
    objective?.groupsOf ?? ((row: RowsByForm[Form]): readonly PromptGroup[] => [groupOf(row as TokenizedPreference)]);
  const rows = options.rows.map((row) => groupsOf(row));
  const readsTokens = objective?.readsReference === 'tokens';
  const results: RowLogprobs[] = [];
  for (let start = 0; start < rows.length; start += CHUNK_ROWS) {
    const chunk = { ...options, readsTokens, rows: rows.slice(start, start + CHUNK_ROWS) };
    results.push(...(await chunkLogprobs({ ...chunk, progress: progress && ((done) => progress(start + done)) })));
    progress?.(results.length);
  }
  return results;
}

interface Chunk extends Omit<ReferenceOptions, 'rows' | 'objective'> {
  /** The groups of each row. */
  readonly rows: readonly (readonly PromptGroup[])[];
  readonly readsTokens: boolean;
}

async function chunkLogprobs(chunk: Chunk): Promise<RowLogprobs[]> {
  const { cacheDirectory } = chunk;
  if (cacheDirectory === undefined) return computeChunk(chunk);
  const file = join(cacheDirectory, `${keyOf(chunk)}.safetensors`);
  const cached = await readCache(file, chunk);
  if (cached !== undefined) return cached;
  const computed = await computeChunk(chunk);
  const values = concatenated(computed);
  await makeDirectory(cacheDirectory);
  await writeArrays(file, { logprobs: { shape: [values.length], values } });
  return computed;
}

async function computeChunk({ model, rows, microBatchTokens, readsTokens, progress, signal }: Chunk) {
  const rowOf = rows.flatMap((groups, index) => groups.map(() => index));
  const readings = await policyPasses(model, microBatchTokens).read(rows.flat(), {
    tokenLogprobs: readsTokens,
    progress: progress && ((done) => progress(rowOf[done - 1]! + 1)),
    signal,
  });
  let at = 0;
  return rows.map((groups) => {
    const own = readings.slice(at, at + groups.length);
    at += groups.length;
    return concatenated(own.flatMap(({ values, tokenLogprobs }) => (readsTokens ? tokenLogprobs! : [values])));
  });
}

function keyOf({ model, rows, readsTokens }: Chunk): string {
  const made = [model.fingerprint, model.computedBy, ...(readsTokens ? ['tokens'] : [])];
  const hash = createHash('sha256').update(JSON.stringify(made));
  for (const { prompt, responses } of rows.flat()) {
    for (const ids of [prompt, ...responses]) hash.update(`${ids.length}:`).update(Int32Array.from(ids));
  }
  return hash.digest('hex');
}

/** An entry of the cache that is damaged or of another length counts as absent, and is told of. */
async function readCache(file: string, { rows, readsTokens, warn }: Chunk): Promise<RowLogprobs[] | undefined> {
  if (!isPresent(file)) return undefined;
  const lengths = rows.map((groups) =>
    groups.reduce((sum, { responses }) => sum + (readsTokens ? tokens(responses) : responses.length), 0),
  );
  const wanted = lengths.reduce((sum, length) => sum + length, 0);
  try {
    const values = (await readArrays(file)).logprobs?.values;
    if (values?.length === wanted) return splitBy(values, lengths);
  } catch (error) {
    if (!isMetaapoError(error)) throw error;
  }
  warn?.(`${file} is not as it was written: the reference's log-probabilities in it are computed anew`);
  return undefined;
}

const tokens = (responses: readonly Int32Array[]): number => responses.reduce((sum, { length }) => sum + length, 0);
