// Computes golden models on a backend of the system that it runs on: `node try-backend.mjs BACKEND MODELS NAME...`, beside
// installed packages. Prints what was seen, a line each; exit code 1 when a number is not transformers'.
import { join } from 'node:path';
import { readArrays } from '@metaapo/core/storage';
import { selectBackend } from '@metaapo/engine';
import { loadLanguageModel } from '@metaapo/models';

const PROMPT = 5;
const optimizer = { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0 };
const [prefer, models, ...names] = process.argv.slice(2);
let isGood = true;

const backend = await selectBackend({ prefer });
const executors = prefer === 'tensorflow' ? ['eager', 'compiled'] : ['eager'];
process.stdout.write(`${process.platform} ${process.arch}, Node ${process.version}: ${backend.reason}\n`);
for (const name of names) for (const executor of executors) await compare(name, executor);
process.exit(isGood ? 0 : 1);

/** Log-probabilities of a golden batch's tokens, and the norm of their sum's gradient. */
async function compare(name, executor) {
  const start = performance.now();
  const golden = await readArrays(join(models, name, 'golden.safetensors'));
  const { groups, expected } = batchOf(golden);
  const model = await loadLanguageModel(join(models, name), { executor, optimizer });
  const { tokenLogprobs } = await model.evaluate(groups, { tokenLogprobs: true });
  const worst = Math.max(...expected.map((value, index) => Math.abs(value - tokenLogprobs[index])));
  await model.backward(await model.forward(groups), { perResponse: new Float32Array(groups.length).fill(1) });
  const { gradientNorm } = await model.apply({ ...optimizer, learningRate: 0, step: 1 });
  const [norm] = golden.gradient_norm.values;
  const off = Math.abs(gradientNorm - norm) / norm;
  model.dispose();
  const isRight = tokenLogprobs.length === expected.length && worst < 2e-5 && off < 1e-4;
  isGood &&= isRight;
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  const figures = `log-probabilities within ${worst.toExponential(1)}, gradient norm within ${off.toExponential(1)}`;
  process.stdout.write(`${isRight ? 'ok' : 'failed'}: ${name}, ${executor}: ${figures}, ${seconds} s\n`);
}

/** Each row without its padding, as a prompt with one response, and what is expected of the response's tokens. */
function batchOf({ input_ids, attention_mask, token_logps }) {
  const [rows, length] = input_ids.shape;
  const groups = [];
  const expected = [];
  for (let row = 0; row < rows; row++) {
    const real = attention_mask.values.subarray(row * length, (row + 1) * length).filter((bit) => bit === 1).length;
    const ids = Int32Array.from(input_ids.values.subarray(row * length, row * length + real));
    groups.push({ prompt: ids.subarray(0, PROMPT), responses: [ids.subarray(PROMPT)] });
    expected.push(...token_logps.values.subarray(row * (length - 1) + PROMPT - 1, row * (length - 1) + real - 1));
  }
  return { groups, expected };
}
