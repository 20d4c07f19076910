import { spawnSync } from 'node:child_process';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  ALL_LINEAR,
  type LanguageModel,
  type LanguageModelOptions,
  loadLanguageModel,
  loadScorer,
} from '@metaapo/models';
import { beforeAll, describe, expect, it } from 'vitest';
import { prepareBackend } from '../support/backends.js';
import { oneOfEachFamily } from '../support/golden-models.js';
import { root, temporaryDirectory } from '../support/metaapo.js';

const python = process.env.PYTHON ?? 'python3';
const hasTransformers =
  spawnSync(python, ['-c', 'import torch, transformers, peft'], { encoding: 'utf8' }).status === 0;
if (!hasTransformers) process.stderr.write(`skipped: ${python} has no transformers; set PYTHON to one that has\n`);

const directory = temporaryDirectory();
const fixtures = join(root, 'fixtures', 'models');
beforeAll(async () => {
  if ((await prepareBackend('tensorflow')) !== undefined) await prepareBackend('wasm');
});

const PROMPT = [5, 9, 33, 70];
const RESPONSE = [12, 41, 8, 90, 2];
/** The same for a model of 40 tokens. */
const SHORT = [
  [5, 9, 33],
  [12, 8, 2],
] as const;
const groupsOf = ([prompt, response]: Texts) => [
  { prompt: Int32Array.from(prompt), responses: [Int32Array.from(response)] },
];
const GROUPS = groupsOf([PROMPT, RESPONSE]);
const ADAMW = { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0 };

/** Token ids of a prompt and of a response to it. */
type Texts = readonly [readonly number[], readonly number[]];

/** A model's directory, and an adapter to put on it. */
interface Saved {
  readonly model: string;
  readonly adapter?: string;
}

/** Logits that predict the response, from Python: the padded forward pass of the whole sequence, a list a model. */
function logitsInPython(saved: readonly Saved[], texts: Texts): readonly (readonly number[])[] {
  const program = `
import json, sys, torch
from peft import PeftModel
from transformers import AutoModelForCausalLM
prompt, response = json.loads(sys.argv[1])
for saved in json.loads(sys.argv[2]):
    model = AutoModelForCausalLM.from_pretrained(saved["model"], dtype=torch.float32)
    if "adapter" in saved:
        model = PeftModel.from_pretrained(model, saved["adapter"]).eval()
    with torch.no_grad():
        logits = model(torch.tensor([prompt + response])).logits[0, len(prompt) - 1 : -1]
    print(json.dumps(logits.flatten().tolist()))
`;
  return inPython(program, [JSON.stringify(texts), JSON.stringify(saved)]).slice(-saved.length);
}

/** The lists of numbers that a program prints, one a line. */
function inPython(program: string, more: readonly string[]): readonly (readonly number[])[] {
  const parameters = ['-c', program, ...more];
  const { status, stdout, stderr } = spawnSync(python, parameters, { encoding: 'utf8', maxBuffer: 2 ** 26 });
  if (status !== 0) throw new Error(stderr.slice(-2000));
  const lines = stdout.split('\n').filter((line) => line.startsWith('['));
  return lines.map((line) => JSON.parse(line) as number[]);
}

/** Rewards of sequences, each alone, then all in one batch with padding on the right. */
const REWARDS = `
import json, sys, torch
from transformers import AutoModelForSequenceClassification
texts = json.loads(sys.argv[1])
model = AutoModelForSequenceClassification.from_pretrained(sys.argv[2], dtype=torch.float32).eval()
assert model.config.num_labels == 1
pad, length = model.config.pad_token_id, max(map(len, texts))
with torch.no_grad():
    print(json.dumps([model(torch.tensor([ids])).logits[0, 0].item() for ids in texts]))
    mask = torch.tensor([[1] * len(ids) + [0] * (length - len(ids)) for ids in texts])
    padded = torch.tensor([ids + [pad] * (length - len(ids)) for ids in texts])
    print(json.dumps(model(padded, attention_mask=mask).logits[:, 0].tolist()))
`;

/** Loads a model, does something to it, and returns its logits. */
async function logitsAfter(
  model: string,
  options: LanguageModelOptions,
  use: (model: LanguageModel) => Promise<void>,
  groups = GROUPS,
): Promise<Float32Array> {
  const loaded = await loadLanguageModel(model, { ...options, executor: 'eager' });
  try {
    await use(loaded);
    const logits = await loaded.logits(groups);
    const values = (await logits.data()) as Float32Array;
    logits.dispose();
    return values;
  } finally {
    loaded.dispose();
  }
}

function expectSame(saved: readonly Saved[], ours: readonly Float32Array[], texts: Texts = [PROMPT, RESPONSE]): void {
  for (const [index, theirs] of logitsInPython(saved, texts).entries()) {
    expect(ours[index]).toHaveLength(theirs.length);
    const difference = Math.max(...theirs.map((value, at) => Math.abs(value - ours[index]![at]!)));
    expect(difference, saved[index]!.adapter ?? saved[index]!.model).toBeLessThan(1e-4);
  }
}

describe.skipIf(!hasTransformers)('in transformers and PEFT', () => {
  it('opens saved models of every family, and a merged adapter, with the same logits', async () => {
    const lora = { adapter: join(fixtures, 'qwen2-lora', 'adapter') };
    const cases = [...oneOfEachFamily(fixtures), 'qwen2-lora/base'];
    const saved = cases.map((name) => ({ model: join(directory, name) }));
    const ours: Float32Array[] = [];
    for (const [index, name] of cases.entries()) {
      const options = name === 'qwen2-lora/base' ? lora : {};
      ours.push(await logitsAfter(join(fixtures, name), options, (model) => model.saveMerged(saved[index]!.model)));
    }
    expectSame(saved, ours);
  });

  it('opens saved adapters on all linear modules of every family, after a step of training, with the same logits', async () => {
    const optimizer = ADAMW;
    const lora = { rank: 2, alpha: 4, targetModules: ALL_LINEAR, useRslora: false, seed: 3 };
    const saved = oneOfEachFamily(fixtures).map((name) => ({
      model: join(fixtures, name),
      adapter: join(directory, `${name}-adapter`),
    }));
    const ours: Float32Array[] = [];
    for (const { model, adapter } of saved) {
      const before = await logitsAfter(model, {}, async () => undefined);
      const after = await logitsAfter(model, { lora, optimizer }, async (trained) => {
        await trained.backward(await trained.forward(GROUPS), { perResponse: Float32Array.of(-1) });
        await trained.apply({ ...optimizer, step: 1, learningRate: 0.05 });
        await trained.save(adapter);
      });
      expect(Math.max(...after.map((value, at) => Math.abs(value - before[at]!)))).toBeGreaterThan(0.05);
      ours.push(after);
    }
    expectSame(saved, ours);
  });

  it('opens an adapter again whose modules have ranks and alphas of their own', async () => {
    const adapters = join(root, 'fixtures', 'adapters');
    const saved: Saved[] = [];
    const ours: Float32Array[] = [];
    for (const name of ['ranks', 'alphas', 'one-layer']) {
      const one = { model: join(adapters, 'base'), adapter: join(directory, name) };
      const options = { adapter: join(adapters, name), optimizer: ADAMW };
      ours.push(await logitsAfter(one.model, options, (model) => model.save(one.adapter), groupsOf(SHORT)));
      saved.push(one);
    }
    expectSame(saved, ours, SHORT);
  });

  it.each([
    ['with a pad token of its own', 0],
    ['without one, so that its end token becomes it', undefined],
  ])('gives the rewards of a head that was trained here, alone and padded: %s', async (name, pad) => {
    const [start, saved] = [join(directory, `start ${name}`), join(directory, `reward ${name}`)];
    cpSync(join(root, 'fixtures', 'adapters', 'base'), start, { recursive: true });
    const config = JSON.parse(readFileSync(join(start, 'config.json'), 'utf8')) as object;
    writeFileSync(join(start, 'config.json'), JSON.stringify({ ...config, pad_token_id: pad }));
    const scorer = await loadScorer(start, { newHead: { seed: 1 }, optimizer: ADAMW, executor: 'eager' });
    const texts = [
      [5, 9, 11, 2],
      [7, 30, 22, 8, 4, 2],
      [3, 2],
    ].map((ids) => Int32Array.from(ids));
    const groups = texts.map((ids) => ({ prompt: ids.subarray(0, 1), responses: [ids.subarray(1)] }));
    await scorer.backward(await scorer.forward(groups), Float32Array.of(1, -1, 0.5));
    await scorer.apply({ ...ADAMW, step: 1, learningRate: 0.05 });
    const ours = await scorer.score(groups);
    await scorer.save(saved);
    scorer.dispose();
    const theirs = inPython(REWARDS, [JSON.stringify(texts.map((ids) => [...ids])), saved]);
    for (const rewards of theirs) {
      for (const [at, reward] of rewards.entries()) expect(reward).toBeCloseTo(ours[at]!, 4);
    }
  });
});
