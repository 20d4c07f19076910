import { cpSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { readArrays, writeArrays } from '@metaapo/core/storage';
import { beforeAll, describe, expect, it } from 'vitest';
import { writePreferences } from '../examples/quickstart/write-preferences.js';
import { interruptedMetaapo, metaapo, quickstartModel, temporaryDirectory } from './support/metaapo.js';

const directory = temporaryDirectory();
const env = { METAAPO_HOME: join(directory, 'home') };
const recipe = join(directory, 'recipe.yaml');
const output = (name: string): string => join(directory, name);
const linesOf = (file: string): Record<string, number>[] =>
  readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, number>);
const withoutTimes = (lines: Record<string, number>[]): unknown => lines.map(({ 'time/step_s': _, ...line }) => line);

beforeAll(async () => {
  await writePreferences(join(directory, 'train.jsonl'), 96, 1);
  await writePreferences(join(directory, 'test.jsonl'), 32, 2);
  const text = `
model: ${quickstartModel}
loss: { id: dpo, beta: 0.1 }
data: { train: ${join(directory, 'train.jsonl')}, eval: ${join(directory, 'test.jsonl')}, maxLength: 64 }
training: { batchSize: 8, epochs: 1, learningRate: 5e-4, microBatchTokens: 512 }
output: ${output('straight')}
`;
  writeFileSync(recipe, text);
});

/** Another weight in the place of the first of a model. */
async function changeWeights(model: string): Promise<void> {
  const file = join(model, 'model.safetensors');
  const arrays = await readArrays(file);
  Object.values(arrays)[0]!.values[0]! += 0.5;
  await writeArrays(file, arrays);
}

describe('metaapo train', () => {
  it('trains, writes a line of metrics a step, and saves a model that scores like the one in memory', () => {
    const trained = metaapo(['train', recipe], env);
    expect(trained.stderr).toContain('Backend: ');
    const [, peak, estimated] = /^Peak memory (.*) GiB, estimated (.*) GiB$/m.exec(trained.stdout) ?? [];
    // The estimate is one of the compiled executor.
    if (trained.stderr.includes('Executor: compiled'))
      expect(Math.abs(Number(estimated) / Number(peak) - 1)).toBeLessThan(0.35);
    expect(trained.stderr).toMatch(/^Executor: (compiled|eager) \(/m);
    expect(trained.status, trained.stderr).toBe(0);
    const lines = linesOf(join(output('straight'), 'metrics.jsonl'));
    expect(lines.map(({ step }) => step)).toEqual(Array.from({ length: 13 }, (_, step) => step));
    const last = lines.at(-1)!;
    expect(last['eval_rewards/accuracies']).toBeGreaterThan(0.8);
    expect(last.eval_loss).toBeLessThan(lines[0]!.eval_loss!);
    const file = output('scores.jsonl');
    const model = join(output('straight'), 'model');
    const args = ['score', '--model', model, '--reference', quickstartModel];
    const scored = metaapo([...args, '--data', join(directory, 'test.jsonl'), '--output', file], env);
    expect(scored.status, scored.stderr).toBe(0);
    const scores = linesOf(file).map(({ score }) => score!);
    const margin = scores.reduce((sum, score) => sum + score, 0) / scores.length;
    expect(0.1 * margin).toBeCloseTo(last['eval_rewards/margins']!, 4);
  });

  it('stops at Ctrl-C with a checkpoint, and goes on to the same numbers', async () => {
    const wasm = { ...env, METAAPO_BACKEND: 'wasm' };
    const args = (name: string): string[] => ['train', recipe, '--set', `output=${output(name)}`];
    expect(metaapo(args('whole'), wasm).status).toBe(0);
    const stopped = await interruptedMetaapo(args('resumed'), /train 1\/12/, wasm);
    expect(stopped.status, stopped.stderr).toBe(130);
    expect(stopped.stderr).toMatch(/stopped after step \d+ of 12\. A checkpoint is saved/);
    const resumed = metaapo([...args('resumed'), '--resume'], wasm);
    expect(resumed.status, resumed.stderr).toBe(0);
    const metrics = (name: string): unknown => withoutTimes(linesOf(join(output(name), 'metrics.jsonl')));
    expect(metrics('resumed')).toEqual(metrics('whole'));
    const weights = (name: string): Buffer => readFileSync(join(output(name), 'model', 'model.safetensors'));
    expect(weights('resumed').equals(weights('whole'))).toBe(true);
  });

  it('refuses to write over a run, and to resume one with another recipe', () => {
    const again = metaapo(['train', recipe], env);
    expect([again.status, again.stderr]).toEqual([2, expect.stringContaining('already holds a run')]);
    const other = metaapo(['train', recipe, '--resume', '--set', 'training.learningRate=1e-3'], env);
    expect(other.status).toBe(2);
  });

  it('goes on with no other reference, held-out rows or start weights than it was started with', async () => {
    const [model, reference, held] = [output('start'), output('reference'), output('held.jsonl')];
    for (const copy of [model, reference]) cpSync(quickstartModel, copy, { recursive: true });
    cpSync(join(directory, 'test.jsonl'), held);
    const sets = [`model=${model}`, `reference=${reference}`, `data.eval=${held}`, `output=${output('inputs')}`];
    const args = ['train', recipe, ...sets.flatMap((set) => ['--set', set])];
    const stopped = await interruptedMetaapo(args, /train 1\/12/, env);
    expect(stopped.status, stopped.stderr).toBe(130);
    writeFileSync(held, readFileSync(held, 'utf8').split('\n').slice(1).join('\n'));
    await changeWeights(reference);
    const refused = metaapo([...args, '--resume'], env);
    expect(refused.status).toBe(2);
    expect(refused.stderr).toContain('changed: the weights of the reference; the held-out rows');
    const allowed = metaapo([...args, '--resume', '--allow-changes'], env);
    expect(allowed.status, allowed.stderr).toBe(0);
    expect(allowed.stderr).toContain('changed since the run was started: the held-out rows');
  });

  it('trains an adapter, saves it in PEFT form, and scores with it where a model is expected', () => {
    const trained = metaapo(['train', recipe, '--set', `output=${output('lora')}`, '--set', 'lora.rank=4'], env);
    expect(trained.status, trained.stderr).toBe(0);
    const config = JSON.parse(readFileSync(join(output('lora'), 'model', 'adapter_config.json'), 'utf8'));
    expect(config).toMatchObject({ peft_type: 'LORA', r: 4 });
    const file = output('adapter-scores.jsonl');
    const args = ['score', '--model', join(output('lora'), 'model'), '--data', join(directory, 'test.jsonl')];
    const scored = metaapo([...args, '--output', file], env);
    expect(scored.status, scored.stderr).toBe(0);
    expect(linesOf(file)).toHaveLength(32);
  });

  it('trains without a reference with simpo', () => {
    const args = ['--set', `output=${output('simpo')}`, '--set', 'loss={id: simpo, beta: 2.5, gamma: 0.6}'];
    const trained = metaapo(['train', recipe, ...args], env);
    expect(trained.status, trained.stderr).toBe(0);
    expect(trained.stderr).not.toContain('reference ');
  });
});

describe('metaapo score', () => {
  it('stops at Ctrl-C and writes nothing', async () => {
    await writePreferences(join(directory, 'many.jsonl'), 4000, 3);
    const args = ['score', '--model', quickstartModel, '--data', join(directory, 'many.jsonl')];
    const file = output('stopped-scores.jsonl');
    const wasm = { ...env, METAAPO_BACKEND: 'wasm' };
    const stopped = await interruptedMetaapo([...args, '--output', file], /policy \d+\/4000/, wasm);
    expect(stopped.status, stopped.stderr).toBe(130);
    expect(stopped.stderr).toContain('nothing was written');
    expect(existsSync(file)).toBe(false);
  });
});

describe('bad input', () => {
  const refused = (...args: readonly string[]): string => {
    const result = metaapo(args, env);
    expect(result.status, result.stderr).toBe(2);
    const paragraph = result.stderr
      .trim()
      .split('\n')
      .filter((line) => line.startsWith('metaapo: '));
    expect(paragraph, result.stderr).toHaveLength(1);
    return paragraph[0]!;
  };
  const train = (...sets: readonly string[]): string =>
    refused('train', recipe, ...[`output=${output('refused')}`, ...sets].flatMap((set) => ['--set', set]));
  const data = (name: string, text: string): string => {
    writeFileSync(join(directory, name), text);
    return `data.train=${join(directory, name)}`;
  };

  it('names an unknown key and its nearest spelling', () => {
    expect(train('training.learningrate=1')).toMatch(
      /unknown key training\.learningrate\. Did you mean learningRate\?/,
    );
    expect(train('loss={id: dpo, betta: 0.1}')).toContain('betta');
    expect(train('loss.id=dppo')).toMatch(/Did you mean dpo\?/);
  });

  it('names file and row of a row that cannot be used', () => {
    const row = (fields: object): string =>
      `${JSON.stringify({ prompt: 'a', chosen: 'b', rejected: 'c', ...fields })}\n`;
    expect(train(data('missing.jsonl', row({}) + row({ rejected: undefined })))).toMatch(
      /missing\.jsonl, row 1.*rejected/,
    );
    expect(train(data('type.jsonl', row({}) + row({ chosen: 7 })))).toMatch(/type\.jsonl, row 1.*chosen/);
    expect(train(data('empty.jsonl', row({ chosen: '' })))).toMatch(/empty\.jsonl, row 0.*empty/);
    expect(train(data('long.jsonl', row({ prompt: 'a'.repeat(100) })))).toMatch(/row 0.*longer than the limit/);
  });

  it('refuses a loss of rewards for a policy, and one of log-probabilities for a reward model', () => {
    expect(train('loss={id: bradley-terry}')).toMatch(/loss bradley-terry: it compares rewards.*metaapo train-reward/);
    const sets = [`output=${output('refused')}`, 'loss={id: dpo}'].flatMap((set) => ['--set', set]);
    expect(refused('train-reward', recipe, '--dry-run', ...sets)).toMatch(
      /loss dpo: it compares log-probabilities.*bradley-terry/,
    );
  });

  it('says what is missing of a model, and leaves no run directory', () => {
    expect(train(`model=${join(directory, 'nowhere')}`)).toContain('no such model directory');
    expect(train(`model=${dirname(quickstartModel)}`)).toContain('config.json');
    const fresh = ['--set', `output=${output('fresh')}`];
    expect(refused('train', recipe, '--resume', ...fresh)).toContain('no checkpoint to resume from');
    for (const name of ['refused', 'fresh']) expect(existsSync(output(name)), name).toBe(false);
  });

  it('names settings that would do nothing', () => {
    expect(train('metaLearner={id: mlp}')).toContain('no row has an online pair');
    expect(train('unselected=drop')).toContain('without metaLearner');
    expect(train('data.eval=', 'training.evaluateEvery=2')).toContain('without data.eval');
  });

  it('checks parts in a dry run too, and tells the commands apart', () => {
    const plan = (...args: readonly string[]): string => refused(...args, '--dry-run');
    expect(plan('train', recipe, '--set', 'loss.id=dppo')).toMatch(/Did you mean dpo\?/);
    expect(plan('train', recipe, '--set', 'loss.beta=-1')).toContain('beta');
    expect(plan('train', 'metaapo')).toContain('metaapo run metaapo');
    const planning = ['run', recipe, '--dry-run', '--set', `output=${output('planned')}`];
    const free = ['--set', `reference=${quickstartModel}`, '--set', 'loss=simpo'];
    expect(metaapo([...planning, ...free], env).stderr).toContain('since loss simpo reads none');
    const planned = metaapo(planning, env);
    expect(planned.status, planned.stderr).toBe(0);
    expect(planned.stdout).toMatch(
      /Disk, estimated: .* MiB in all .*.*Training: 96 pairs, 12 steps.*Time.*schedule: constant.*warmupRatio: 0\.03/s,
    );
  });

  it('says in a dry run that a model does not fit, and where it would', () => {
    const large = output('large');
    cpSync(quickstartModel, large, { recursive: true, filter: (file) => !file.endsWith('.safetensors') });
    const config = JSON.parse(readFileSync(join(quickstartModel, 'config.json'), 'utf8'));
    const sizes = { hidden_size: 8192, intermediate_size: 65_536, num_attention_heads: 64, num_key_value_heads: 8 };
    // A layer takes more than 6 GiB.
    const layers = Math.ceil(totalmem() / 2 ** 32);
    writeFileSync(join(large, 'config.json'), JSON.stringify({ ...config, ...sizes, num_hidden_layers: layers }));
    writeFileSync(join(large, 'model.safetensors'), Buffer.from([2, 0, 0, 0, 0, 0, 0, 0, 0x7b, 0x7d]));
    const planning = ['train', recipe, '--dry-run', '--set', `output=${output('planned')}`];
    const planned = metaapo([...planning, '--set', `model=${large}`], env);
    expect(planned.status, planned.stderr).toBe(0);
    expect(planned.stdout).toMatch(
      /does not fit into the .*weights alone take .* model: { id: tinker, url: \S+ base: /,
    );
    expect(metaapo(planning, env).stdout).not.toContain('does not fit');
  });

  it('names an output that is in the way', () => {
    expect(train(`output=${recipe}`)).toContain('a file where a directory should be');
    const args = ['score', '--model', quickstartModel, '--data', join(directory, 'test.jsonl')];
    expect(refused(...args, '--output', directory)).toContain('a directory where a file should be');
  });

  it('knows its own commands and flags', () => {
    expect(metaapo(['trian']).status).toBe(2);
    expect(metaapo(['train', recipe, '--bogus']).status).toBe(2);
    expect(metaapo(['--help']).status).toBe(0);
  });
});
