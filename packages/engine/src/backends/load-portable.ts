import { createRequire } from 'node:module';
import { dirname, sep } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { quietly } from './quietly.js';

/** Directory of the .wasm files, with a closing separator. They come from the npm package. */
export function wasmDirectory(): string {
  return dirname(createRequire(import.meta.url).resolve('@tensorflow/tfjs-backend-wasm')) + sep;
}

/** Makes wasm TensorFlow.js' current backend. */
export async function loadWasm(): Promise<void> {
  const { setWasmPaths } = await import('@tensorflow/tfjs-backend-wasm');
  if (!('wasm' in tf.engine().registry)) setWasmPaths(wasmDirectory());
  if (!(await quietly(() => tf.setBackend('wasm')))) throw new Error('TensorFlow.js could not start the wasm backend');
}

/** Makes plain JavaScript TensorFlow.js' current backend. Slow: for tests. */
export async function loadCpu(): Promise<void> {
  await quietly(async () => {
    await tf.setBackend('cpu');
    // The first tensor is what prints the banner.
    tf.scalar(0).dispose();
  });
}
