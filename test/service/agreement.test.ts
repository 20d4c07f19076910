import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import type { ModelSource, PromptGroup, TrainableModel } from '@metaapo/core/contracts';
import { readArrays } from '@metaapo/core/storage';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { temporaryDirectory } from '../support/metaapo.js';
import { type DpoStep, dpoStep, largestDifference, pairGroups, sumLogprobs } from './dpo-training.js';
import { type ServedModel, serveRandomModel, USE } from './service-model.js';
import { servicePython } from './training-server.js';

const directory = temporaryDirectory();
const STEPS = 5;

const python = process.env.PYTHON ?? 'python3';
const hasPeft = spawnSync(python, ['-c', 'import torch, transformers, peft'], { encoding: 'utf8' }).status === 0;
if (servicePython !== undefined && !hasPeft) {
  console.log(`skipped: an adapter of the server in PEFT; ${python} has no peft, set PYTHON to one that has`);
}

/** Sums of log-probabilities of responses under a model with an adapter, in Python. */
const IN_PYTHON = `
import json, sys, torch
from peft import PeftModel
from transformers import AutoModelForCausalLM
base, adapter, texts = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32), adapter).eval()
sums = []
with torch.no_grad():
    for prompt, response in texts:
        ids = torch.tensor([prompt + response])
        logprobs = model(ids).logits[0, len(prompt) - 1 : -1].log_softmax(-1)
        sums.append(logprobs.gather(1, ids[0, len(prompt) :, None]).sum().item())
print(json.dumps(sums))
`;

function sumsInPython(base: string, adapter: string, groups: readonly PromptGroup[]): readonly number[] {
  const texts = groups.flatMap(({ prompt, responses }) => responses.map((one) => [[...prompt], [...one]]));
  const args = ['-c', IN_PYTHON, base, adapter, JSON.stringify(texts)];
  const { status, stdout, stderr } = spawnSync(python, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr.slice(-2000));
  return JSON.parse(stdout.trim().split('\n').at(-1)!);
}

/** What a model computed, on the server or here, from the same adapter. */
interface Course {
  readonly start: Float32Array;
  readonly steps: readonly DpoStep[];
  /** The adapter after the first step, and after the last. */
  readonly first: string;
  readonly last: string;
  readonly end: Float32Array;
}

describe.skipIf(servicePython === undefined)('a real server beside the engine of this machine', () => {
  let served: ServedModel;
  let groups: readonly PromptGroup[];
  let [there, here] = [{} as Course, {} as Course];
  /** Processor seconds of this process over seconds, of warm steps on the server. */
  const shares: number[] = [];
  const figures: string[] = [];

  beforeAll(async () => {
    served = await serveRandomModel(directory);
    const { tokenizer } = await served.local().describe();
    groups = await pairGroups(join(directory, 'pairs.jsonl'), tokenizer!);
    const remote = served.remote();
    const policy = (await remote.openPolicy(USE)).model;
    const adapter = join(directory, 'start');
    await policy.save(adapter);
    there = await follow(policy, 'there');
    await remote.dispose?.();
    here = await follow((await served.local(adapter).openPolicy(USE)).model, 'here');
    return async () => {
      console.log(figures.join('\n'));
      await served.server.kill();
    };
  }, 900_000);

  /** Expects a figure to be small enough, and prints it at the end. */
  function within(name: string, figure: number, limit: number): void {
    figures.push(`${name}: ${figure.toExponential(1)}, at most ${limit}`);
    expect(figure, name).toBeLessThan(limit);
  }

  async function follow(model: TrainableModel, name: string): Promise<Course> {
    const saved = (step: number): string => join(directory, `${name}-${step}`);
    const start = await sumLogprobs(model, groups);
    const steps: DpoStep[] = [];
    for (let step = 1; step <= STEPS; step++) {
      const [from, used] = [performance.now(), process.cpuUsage()];
      steps.push(await dpoStep(model, groups, start, step));
      const { user, system } = process.cpuUsage(used);
      const [busy, whole] = [(user + system) / 1000, performance.now() - from];
      if (name === 'there' && step > 1) {
        shares.push(busy / whole);
        figures.push(
          `step ${step} on the server: ${whole.toFixed(0)} ms, ${busy.toFixed(0)} ms of them of this process`,
        );
      }
      if (step === 1 || step === STEPS) await model.save(saved(step));
    }
    const end = await sumLogprobs(model, groups);
    model.dispose();
    return { start, steps, first: saved(1), last: saved(STEPS), end };
  }

  /** How far the loss before a step is from ours, as a share. */
  const lossRatio = (step: number): number => Math.abs(there.steps[step]!.loss / here.steps[step]!.loss - 1);

  /** Log-probabilities of an adapter as this machine computes them. */
  async function computedHere(source: ModelSource): Promise<Float32Array> {
    const { model } = await source.openReference('start', {});
    onTestFinished(() => model.dispose());
    return sumLogprobs(model, groups);
  }

  it('gives the same log-probabilities', async () => {
    within('log-probabilities with the adapter', largestDifference(there.start, here.start), 1e-4);
    within('log-probabilities without', largestDifference(there.start, await computedHere(served.local())), 1e-4);
  });

  it('takes the same first step: its gradient is that of the loss, in size too', async () => {
    const [theirs, ours] = [there.steps[0]!, here.steps[0]!];
    within('loss of step 1', Math.abs(theirs.loss - ours.loss), 1e-6);
    within('gradient norm of step 1, relative', Math.abs(theirs.gradientNorm / ours.gradientNorm - 1), 1e-4);
    const [moved, own] = [await matricesOf(there.first), await matricesOf(here.first)];
    const names = Object.keys(own).filter((name) => name.includes('lora_B'));
    expect(names).toHaveLength(14);
    within('lora_B after it', Math.max(...names.map((name) => largestDifference(moved[name]!, own[name]!))), 1e-6);
    for (const name of names) {
      expect(largestDifference(moved[name]!, new Float32Array(moved[name]!.length)), name).toBeGreaterThan(1e-4);
    }
    within('loss of step 2, relative', lossRatio(1), 1e-4);
  });

  it('stays within 2 % for five steps, though it ties the first matrices of fused layers', () => {
    within('loss of five steps, relative', Math.max(...there.steps.map((_, step) => lossRatio(step))), 0.02);
    expect(there.steps.at(-1)!.loss).toBeLessThan(0.9 * Math.LN2);
  });

  it('gives an adapter that this machine computes alike', async () => {
    const found = await computedHere(served.local(there.last));
    within('downloaded adapter in our engine', largestDifference(there.end, found), 1e-3);
  });

  it.skipIf(!hasPeft)('gives an adapter that PEFT computes alike', () => {
    const found = sumsInPython(served.base, there.last, groups);
    within('downloaded adapter in PEFT', largestDifference(there.end, found), 1e-3);
  });

  it('takes at most a twentieth of the time of a step from this process', () => {
    const middle = shares.toSorted((a, b) => a - b)[Math.floor(shares.length / 2)]!;
    within('share of this process in the time of a step', middle, 0.05);
  });
});

async function matricesOf(adapter: string): Promise<Readonly<Record<string, Float32Array>>> {
  const arrays = await readArrays(join(adapter, 'adapter_model.safetensors'));
  return Object.fromEntries(Object.entries(arrays).map(([name, { values }]) => [name, values]));
}
