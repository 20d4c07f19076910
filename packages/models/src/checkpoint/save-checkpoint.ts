import { join } from 'node:path';
import { type TensorToWrite, writeAtomically, writeSafetensors } from '@metaapo/core/storage';
import type { LanguageModelConfig } from './model-config.js';
import { withWholeFloats } from './whole-floats.js';

/** Bytes after which a new shard begins. */
const SHARD_BYTES = 5e9;

const BYTES = { F32: 4, BF16: 2 } as const;

const bytesOf = ({ shape, dtype }: TensorToWrite): number =>
  shape.reduce((product, dimension) => product * dimension, BYTES[dtype]);

/**
 * Writes config.json and the weights into a directory, in one file or in shards with an index.
 * @param shardBytes largest size of a file, in bytes; a tensor larger than that has one of its own
 */
export async function saveCheckpoint(
  directory: string,
  config: LanguageModelConfig,
  tensors: readonly TensorToWrite[],
  shardBytes = SHARD_BYTES,
): Promise<void> {
  const dtype = tensors.some((tensor) => tensor.dtype === 'F32') ? 'float32' : 'bfloat16';
  const { torch_dtype: older, ...rest } = config.raw;
  const dialect = older === undefined ? { dtype } : { torch_dtype: dtype };
  await writeAtomically(
    join(directory, 'config.json'),
    `${withWholeFloats({ ...rest, ...dialect }, config.wholeFloats)}\n`,
  );
  const shards = shardsOf(tensors, shardBytes);
  if (shards.length === 1) {
    await writeSafetensors(join(directory, 'model.safetensors'), tensors);
    return;
  }
  const weightMap: Record<string, string> = {};
  const number = (index: number): string => String(index).padStart(5, '0');
  for (const [index, shard] of shards.entries()) {
    const file = `model-${number(index + 1)}-of-${number(shards.length)}.safetensors`;
    await writeSafetensors(join(directory, file), shard);
    for (const { name } of shard) weightMap[name] = file;
  }
  const totalSize = tensors.reduce((sum, tensor) => sum + bytesOf(tensor), 0);
  const index = { metadata: { total_size: totalSize }, weight_map: weightMap };
  await writeAtomically(join(directory, 'model.safetensors.index.json'), `${JSON.stringify(index, null, 2)}\n`);
}

function shardsOf(tensors: readonly TensorToWrite[], shardBytes: number): readonly (readonly TensorToWrite[])[] {
  const shards: TensorToWrite[][] = [[]];
  let used = 0;
  for (const tensor of tensors) {
    const bytes = bytesOf(tensor);
    if (used > 0 && used + bytes > shardBytes) {
      shards.push([]);
      used = 0;
    }
    shards.at(-1)!.push(tensor);
    used += bytes;
  }
  return shards;
}
