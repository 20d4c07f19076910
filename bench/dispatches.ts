// Counts what a training step and a sampled token ask of a GPU through WebGPU: shaders by pass, and how many are different
// ones.
//   pnpm bench dispatches [--model fixtures/models/qwen3] [--rows 4] [--tokens 64] [--precision bfloat16]
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { selectBackend } from '@metaapo/engine';
import { loadLanguageModel } from '@metaapo/models';
import type * as tf from '@tensorflow/tfjs';

const { values: flags } = parseArgs({
  options: {
    model: { type: 'string', default: join(import.meta.dirname, '..', 'fixtures', 'models', 'qwen3') },
    rows: { type: 'string', default: '4' },
    tokens: { type: 'string', default: '64' },
    precision: { type: 'string', default: 'float32' },
  },
});

interface Program {
  readonly shaderKey: string;
}

/** Counts the shaders that a backend runs while `pass` runs. */
function counter(backend: tf.KernelBackend): <Result>(pass: () => Promise<Result>) => Promise<Result> {
  const target = backend as unknown as { runWebGPUProgram(program: Program, ...rest: unknown[]): unknown };
  const run = target.runWebGPUProgram.bind(target);
  let names: string[] = [];
  target.runWebGPUProgram = (program, ...rest) => {
    const output = run(program, ...rest);
    names.push(program.shaderKey);
    return output;
  };
  return async (pass) => {
    names = [];
    const result = await pass();
    process.stdout.write(
      `${pass.name.padEnd(10)} ${String(names.length).padStart(6)} shaders, ${new Set(names).size} different\n`,
    );
    return result;
  };
}

const optimizer = { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1 };
const { reason, tf: tfjs } = await selectBackend({ prefer: 'webgpu' });
process.stdout.write(`${reason}\n`);
const count = counter(tfjs.backend() as unknown as tf.KernelBackend);
const { precision } = flags;
if (precision !== 'float32' && precision !== 'bfloat16') throw new Error('--precision is float32 or bfloat16');
const model = await loadLanguageModel(flags.model, { executor: 'eager', precision, optimizer, cachedTokens: 4096 });
const ids = (length: number): Int32Array => Int32Array.from({ length }, (_, at) => 3 + (at % 90));
const half = Number(flags.tokens) / 2;
const groups = Array.from({ length: Number(flags.rows) }, () => ({
  prompt: ids(half),
  responses: [ids(half), ids(half)],
}));
const gradients = new Float32Array(2 * groups.length).fill(1);
const ticket = await count(async function forward() {
  return model.forward(groups);
});
await count(async function backward() {
  await model.backward(ticket, { perResponse: gradients });
});
await count(async function apply() {
  await model.apply({ ...optimizer, step: 1, learningRate: 1e-4 });
});
const tokensOf = async (maxNewTokens: number): Promise<void> => {
  const request = { count: 2, maxNewTokens, stopTokenIds: [], temperature: 1, seed: 0 };
  for await (const _ of model.generate!(groups.map(({ prompt }) => ({ prompt, ...request }))));
};
await count(async function oneToken() {
  await tokensOf(1);
});
await count(async function twoTokens() {
  await tokensOf(2);
});
model.dispose();
