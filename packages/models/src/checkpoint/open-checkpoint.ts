import { createHash } from 'node:crypto';
import { basename, dirname, join } from 'node:path';
import { MetaapoError } from '@metaapo/core/contracts';
import { fileIn, openSafetensors, readTextIn, requireFinite, type SafetensorsFile } from '@metaapo/core/storage';
import { SCORE_WEIGHT } from './expected-tensors.js';

/** The weights of a directory, in one file or several. */
export interface Checkpoint {
  /** What holds the weights, for messages. */
  readonly where: string;
  /** Shapes by tensor name. */
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  read(name: string): Promise<Float32Array>;
  close(): Promise<void>;
}

/** True for a regular file inside of its directory; a link that leads elsewhere is an error. */
const exists = async (file: string): Promise<boolean> => (await fileIn(dirname(file), basename(file))) !== undefined;

/**
 * Opens model.safetensors, or the shards that model.safetensors.index.json lists.
 * @throws MetaapoError with code `checkpoint` when a file is missing, damaged, or named outside of the directory
 */
export async function openCheckpoint(directory: string, stem = 'model'): Promise<Checkpoint> {
  const single = join(directory, `${stem}.safetensors`);
  const index = join(directory, `${stem}.safetensors.index.json`);
  if (await exists(single)) return viewOf(single, [await openSafetensors(single)]);
  if (await exists(index)) return openShards(directory, index);
  throw new MetaapoError('checkpoint', 'there are no weights', {
    where: directory,
    expected: `${basename(single)} or ${basename(index)}`,
    got: (await exists(join(directory, 'pytorch_model.bin'))) ? 'pytorch_model.bin, which may hold code' : 'neither',
    remedy: 'Save the model with safe_serialization=True, or download its safetensors files',
  });
}

async function openShards(directory: string, index: string): Promise<Checkpoint> {
  const weightMap = await readIndex(index);
  const files: SafetensorsFile[] = [];
  try {
    for (const name of new Set(weightMap.values())) files.push(await openShard(join(directory, name), index));
    const checkpoint = viewOf(index, files);
    for (const [tensor, file] of weightMap) {
      if (!checkpoint.shapes.has(tensor)) {
        throw new MetaapoError('checkpoint', `tensor ${tensor} is missing`, {
          where: join(directory, file),
          expected: `the tensors that ${basename(index)} lists for it`,
          got: `${checkpoint.shapes.size} others`,
          remedy: 'Download the shard and the index again, from the same revision',
        });
      }
    }
    return checkpoint;
  } catch (error) {
    for (const file of files) await file.close();
    throw error;
  }
}

async function openShard(file: string, index: string): Promise<SafetensorsFile> {
  if (await exists(file)) return openSafetensors(file);
  throw new MetaapoError('checkpoint', 'a shard of the weights is missing', {
    where: file,
    expected: `the file that ${basename(index)} lists`,
    got: 'no such file',
    remedy: 'Download it again, from the same revision as the index',
  });
}

async function readIndex(index: string): Promise<ReadonlyMap<string, string>> {
  const corrupt = (summary: string, got: string): MetaapoError =>
    new MetaapoError('checkpoint', summary, {
      where: index,
      expected: 'a weight_map from tensor names to file names in the same directory',
      got,
      remedy: 'Download the index again',
    });
  let parsed: unknown;
  try {
    parsed = JSON.parse((await readTextIn(dirname(index), basename(index)))!);
  } catch {
    throw corrupt('the index is no JSON', 'something else');
  }
  const map = (parsed as { weight_map?: unknown } | null)?.weight_map;
  if (typeof map !== 'object' || map === null)
    throw corrupt('there is no weight_map', JSON.stringify(map) ?? 'nothing');
  const entries = Object.entries(map);
  for (const [tensor, file] of entries) {
    const isPlain = typeof file === 'string' && /^[\w.-]+\.safetensors$/.test(file) && !file.startsWith('.');
    if (!isPlain) throw corrupt(`the file of tensor ${tensor} is outside of the directory`, JSON.stringify(file));
  }
  return new Map(entries);
}

/** One view of several files. */
function viewOf(where: string, files: readonly SafetensorsFile[]): Checkpoint {
  const owners = new Map<string, SafetensorsFile>();
  const shapes = new Map<string, readonly number[]>();
  for (const file of files) {
    for (const [name, { shape }] of file.tensors) {
      owners.set(name, file);
      shapes.set(name, shape);
    }
  }
  return {
    where,
    shapes,
    read(name) {
      const owner = owners.get(name);
      if (owner === undefined) throw new MetaapoError('checkpoint', `there is no tensor ${name}`, { where });
      return owner.read(name);
    },
    async close() {
      for (const file of files) await file.close();
    },
  };
}

/** Buffers that older checkpoints hold and no model reads. */
const IGNORED = /(rotary_emb\.inv_freq|\.attn\.bias|\.masked_bias)$/;

/**
 * Reads every expected tensor once, checks its shape and that all its numbers are finite, and hands it over.
 * @param visit receives one tensor at a time; the array is the visitor's
 * @returns a key of names, shapes and numbers: equal keys mean equal weights
 * @throws MetaapoError with code `checkpoint` for a missing, misshaped, unknown or non-finite tensor
 */
export async function readWeights(
  checkpoint: Checkpoint,
  expected: ReadonlyMap<string, readonly number[]>,
  visit: (name: string, values: Float32Array) => Promise<void>,
  isOptional: (name: string) => boolean = () => false,
): Promise<string> {
  if (expected.has(SCORE_WEIGHT)) requireOneLabel(checkpoint);
  checkNames(checkpoint, expected, isOptional);
  const hash = createHash('sha256');
  for (const [name, shape] of expected) {
    const values = await checkpoint.read(name);
    requireFinite(values, name, checkpoint.where);
    hash.update(`${name}[${shape}]`).update(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
    await visit(name, values);
  }
  return hash.digest('hex');
}

/**
 * Refuses the weights of a classifier of several labels: transformers takes two where a config names no number.
 * @throws MetaapoError with code `checkpoint`
 */
export function requireOneLabel({ where, shapes }: Checkpoint): void {
  const [labels = 1] = shapes.get(SCORE_WEIGHT) ?? [];
  if (labels === 1) return;
  throw new MetaapoError('checkpoint', 'the model has several labels, and no one score', {
    where: `${where}, tensor ${SCORE_WEIGHT}`,
    expected: 'a reward model, which has 1 label',
    got: `${labels} labels`,
    remedy: 'Give a reward model, or train one with num_labels=1',
  });
}

function checkNames(
  { where, shapes }: Checkpoint,
  expected: ReadonlyMap<string, readonly number[]>,
  isOptional: (name: string) => boolean,
): void {
  const refuse = (summary: string, wanted: string, got: string): never => {
    throw new MetaapoError('checkpoint', summary, {
      where,
      expected: wanted,
      got,
      remedy: 'Check that config.json and the weights belong to the same model',
    });
  };
  for (const [name, shape] of expected) {
    const found = shapes.get(name);
    if (found === undefined) refuse(`tensor ${name} is missing`, `[${shape.join(', ')}]`, 'no such tensor');
    if (String(found) !== String(shape)) {
      refuse(`tensor ${name} has the wrong shape`, `[${shape.join(', ')}]`, `[${found!.join(', ')}]`);
    }
  }
  const unknown = [...shapes.keys()].filter((name) => !expected.has(name) && !IGNORED.test(name) && !isOptional(name));
  if (unknown.length > 0) {
    refuse(
      'there are tensors that this architecture does not have',
      `${expected.size} tensors`,
      unknown.slice(0, 5).join(', '),
    );
  }
}
