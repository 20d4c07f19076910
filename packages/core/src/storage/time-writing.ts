import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeArrays } from './arrays-file.js';
import { removeDirectory } from './paths.js';

/** Bytes of the file from which the pace is read. */
const WRITTEN_BYTES = 2 ** 25;

/** Seconds that a byte of a safetensors file takes to write, timed on a small one in the directory for temporary files. */
export async function timeWriting(): Promise<number> {
  const directory = await mkdtemp(join(tmpdir(), 'metaapo-rehearsal-'));
  try {
    const values = new Float32Array(WRITTEN_BYTES / 4);
    const started = performance.now();
    await writeArrays(join(directory, 'some.safetensors'), { values: { shape: [values.length], values } });
    return (performance.now() - started) / 1000 / WRITTEN_BYTES;
  } finally {
    await removeDirectory(directory);
  }
}
