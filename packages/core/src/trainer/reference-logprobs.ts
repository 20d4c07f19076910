import { createHash } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { isMetaapoError, type TokenizedPreference, type TrainableModel } from '../contracts/index.js';
import { readArrays, writeArrays } from '../storage/index.js';
import { evaluateRows, groupOf, type RowLogprobs, type RowProgress, splitByGroup } from './response-logprobs.js';

/** How to get a reference's log-probabilities. */
export interface ReferenceOptions {
  readonly model: TrainableModel;
  readonly rows: readonly TokenizedPreference[];
  readonly microBatchTokens: number;
  /** Directory of the cache; absent, nothing is kept. */
  readonly cacheDirectory?: string | undefined;
  readonly progress?: RowProgress | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Rows of a file of the cache: what an interruption loses at most. */
const CHUNK_ROWS = 512;

/**
 * Log-probabilities of every response under the reference, from the cache where they are in it. The key is made of the
 * model's configuration and weights, the token ids (hence data, tokenizer and template) and what computed them.
 * Rows are computed and kept in chunks, so that an interrupted pass goes on where it stopped.
 */
export async function referenceLogprobs(options: ReferenceOptions): Promise<RowLogprobs[]> {
  const { rows, progress } = options;
  const results: RowLogprobs[] = [];
  for (let start = 0; start < rows.length; start += CHUNK_ROWS) {
    const chunk = rows.slice(start, start + CHUNK_ROWS);
    results.push(
      ...(await chunkLogprobs({ ...options, rows: chunk, progress: progress && ((done) => progress(start + done)) })),
    );
    progress?.(results.length);
  }
  return results;
}

async function chunkLogprobs(options: ReferenceOptions): Promise<RowLogprobs[]> {
  const { model, rows, cacheDirectory } = options;
  const compute = (): Promise<RowLogprobs[]> => evaluateRows(model, rows, options.microBatchTokens, options);
  if (cacheDirectory === undefined) return compute();
  const file = join(cacheDirectory, `${keyOf(options)}.safetensors`);
  const cached = await readCache(file, rows);
  if (cached !== undefined) return cached;
  const computed = await compute();
  const values = Float32Array.from(computed.flatMap((row) => [...row]));
  await mkdir(cacheDirectory, { recursive: true });
  await writeArrays(file, { logprobs: { shape: [values.length], values } });
  return computed;
}

function keyOf({ model, rows }: ReferenceOptions): string {
  const hash = createHash('sha256').update(JSON.stringify([model.fingerprint, model.computedBy]));
  for (const row of rows) {
    const { prompt, responses } = groupOf(row);
    for (const ids of [prompt, ...responses]) hash.update(`${ids.length}:`).update(Int32Array.from(ids));
  }
  return hash.digest('hex');
}

/** A cache entry that is missing, damaged or of another length counts as absent. */
async function readCache(file: string, rows: readonly TokenizedPreference[]): Promise<RowLogprobs[] | undefined> {
  try {
    const values = (await readArrays(file)).logprobs?.values;
    const groups = rows.map(groupOf);
    const wanted = groups.reduce((sum, { responses }) => sum + responses.length, 0);
    return values?.length === wanted ? splitByGroup(values, groups) : undefined;
  } catch (error) {
    if (isMetaapoError(error)) return undefined;
    throw error;
  }
}
