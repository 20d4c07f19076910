import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { loadLanguageModel } from '@metaapo/models';
import { beforeAll, expect, it } from 'vitest';
import { prepareBackend } from '../support/backends.js';
import { root, temporaryDirectory } from '../support/metaapo.js';

const python = process.env.PYTHON ?? 'python3';
const hasTransformers = spawnSync(python, ['-c', 'import torch, transformers'], { encoding: 'utf8' }).status === 0;
if (!hasTransformers) process.stderr.write(`skipped: ${python} has no transformers; set PYTHON to one that has\n`);

const directory = temporaryDirectory();
beforeAll(async () => {
  if ((await prepareBackend('tensorflow')) !== undefined) await prepareBackend('wasm');
});

const PROMPT = [5, 9, 33, 70];
const RESPONSE = [12, 41, 8, 90, 2];

/** Logits that predict the response, from Python: the padded forward pass of the whole sequence, a list a model. */
function logitsInPython(models: readonly string[]): readonly (readonly number[])[] {
  const program = `
import json, sys, torch
from transformers import AutoModelForCausalLM
prompt, response = json.loads(sys.argv[1])
for name in sys.argv[2:]:
    model = AutoModelForCausalLM.from_pretrained(name, dtype=torch.float32)
    with torch.no_grad():
        logits = model(torch.tensor([prompt + response])).logits[0, len(prompt) - 1 : -1]
    print(json.dumps(logits.flatten().tolist()))
`;
  const parameters = ['-c', program, JSON.stringify([PROMPT, RESPONSE]), ...models];
  const { status, stdout, stderr } = spawnSync(python, parameters, { encoding: 'utf8', maxBuffer: 2 ** 26 });
  if (status !== 0) throw new Error(stderr.slice(-2000));
  const lines = stdout.trim().split('\n').slice(-models.length);
  return lines.map((line) => JSON.parse(line) as number[]);
}

/** Saves a model of the fixtures, and returns its logits. */
async function save(name: string, adapter: string | undefined, target: string): Promise<Float32Array> {
  const fixtures = join(root, 'fixtures', 'models');
  const model = await loadLanguageModel(join(fixtures, name), adapter ? { adapter: join(fixtures, adapter) } : {});
  try {
    await model.saveMerged(target);
    const logits = await model.logits([{ prompt: Int32Array.from(PROMPT), responses: [Int32Array.from(RESPONSE)] }]);
    const values = (await logits.data()) as Float32Array;
    logits.dispose();
    return values;
  } finally {
    model.dispose();
  }
}

it.skipIf(!hasTransformers)('opens saved models in transformers with the same logits', async () => {
  const cases = [['llama3-rope'], ['qwen3'], ['mistral'], ['qwen2-lora/base', 'qwen2-lora/adapter']] as const;
  const targets = cases.map((_, index) => join(directory, String(index)));
  const ours: Float32Array[] = [];
  for (const [index, [name, adapter]] of cases.entries()) ours.push(await save(name, adapter, targets[index]!));
  for (const [index, theirs] of logitsInPython(targets).entries()) {
    expect(ours[index]).toHaveLength(theirs.length);
    const difference = Math.max(...theirs.map((value, at) => Math.abs(value - ours[index]![at]!)));
    expect(difference, cases[index]![0]).toBeLessThan(1e-4);
  }
});
