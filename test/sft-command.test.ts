import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ChatMessage } from '@metaapo/core/contracts';
import { beforeAll, describe, expect, it } from 'vitest';
import { writePreferences } from '../examples/quickstart/write-preferences.js';
import { interruptedMetaapo, metaapo, quickstartModel, temporaryDirectory } from './support/metaapo.js';

const directory = temporaryDirectory();
const env = { METAAPO_HOME: join(directory, 'home') };
const at = (name: string): string => join(directory, name);
const recipe = at('recipe.yaml');

interface Pair {
  readonly prompt: readonly ChatMessage[];
  readonly chosen: readonly ChatMessage[];
}

const linesOf = <Line = Record<string, number>>(file: string): Line[] =>
  readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);
const metricsOf = (name: string): Record<string, number>[] => linesOf(join(at(name), 'metrics.jsonl'));
const timeless = (name: string): unknown => metricsOf(name).map(({ 'time/step_s': _, ...line }) => line);

function sft(name: string, sets: readonly string[] = [], flags: readonly string[] = []): string[] {
  return ['sft', recipe, ...[`output=${at(name)}`, ...sets].flatMap((set) => ['--set', set]), ...flags];
}

function trained(name: string, ...sets: readonly string[]): Record<string, number>[] {
  const result = metaapo(sft(name, sets), env);
  expect(result.status, result.stderr).toBe(0);
  return metricsOf(name);
}

/** Conversations of two questions with their better answers. */
function writeConversations(pairs: string, file: string): void {
  const rows = linesOf<Pair>(pairs).map(({ prompt, chosen }) => [...prompt, ...chosen]);
  const talks = rows.flatMap((first, index) => (index % 2 === 0 ? [[...first, ...rows[index + 1]!]] : []));
  writeFileSync(file, talks.map((messages) => `${JSON.stringify({ messages })}\n`).join(''));
}

beforeAll(async () => {
  await writePreferences(at('pairs.jsonl'), 96, 1);
  await writePreferences(at('held-out.jsonl'), 32, 2);
  writeConversations(at('pairs.jsonl'), at('talks.jsonl'));
  writeConversations(at('held-out.jsonl'), at('held-out-talks.jsonl'));
  writeFileSync(
    recipe,
    `
model: ${quickstartModel}
data: { train: ${at('talks.jsonl')}, eval: ${at('held-out-talks.jsonl')}, maxLength: 128 }
training: { batchSize: 4, learningRate: 1e-3, microBatchTokens: 256, evaluateEvery: 4 }
output: ${at('straight')}
`,
  );
});

describe('metaapo sft', () => {
  it('lowers the held-out loss, writes a line of metrics a step, and saves the model that it evaluated', () => {
    const lines = trained('straight');
    expect(lines.map(({ step }) => step)).toEqual(Array.from({ length: 13 }, (_, step) => step));
    expect(Object.keys(lines[1]!)).toEqual([
      'step',
      'loss',
      'grad_norm',
      'learning_rate',
      'epoch',
      'num_tokens',
      'time/step_s',
    ]);
    const evaluated = lines.filter((line) => line.eval_loss !== undefined);
    expect(evaluated.map(({ step }) => step)).toEqual([0, 4, 8, 12]);
    const last = evaluated.at(-1)!;
    expect(last.eval_loss).toBeLessThan(0.6 * evaluated[0]!.eval_loss!);
    expect(last.eval_perplexity).toBeCloseTo(Math.exp(last.eval_loss!), 10);
    for (const file of ['recipe.yaml', 'journal.jsonl', 'report.html', 'model/chat_template.jinja']) {
      expect(existsSync(join(at('straight'), file)), file).toBe(true);
    }
    const [again] = trained('again', `model=${join(at('straight'), 'model')}`, 'data.maxRows=4');
    expect(again!.eval_loss).toBeCloseTo(last.eval_loss!, 5);
  });

  it('gives the same numbers however much is computed at a time', () => {
    const [whole, cut] = [trained('whole-batch', 'training.microBatchTokens=4096'), metricsOf('straight')];
    for (const [index, { loss, eval_loss: held }] of whole.entries()) {
      if (loss !== undefined) expect(Math.abs(loss - cut[index]!.loss!)).toBeLessThan(1e-3);
      if (held !== undefined) expect(Math.abs(held - cut[index]!.eval_loss!)).toBeLessThan(1e-3);
    }
  });

  it('trains every answer of a conversation, or the last one alone', () => {
    const [all, last] = [metricsOf('straight'), trained('last', 'data.turns=last')];
    expect(last).toHaveLength(all.length);
    expect(last[1]!.num_tokens).toBeLessThan(all[1]!.num_tokens!);
    expect(last.at(-1)!.eval_loss).toBeLessThan(last[0]!.eval_loss!);
  });

  it('takes the chosen answers of preferences, and trains an adapter', () => {
    const data = [`data.train=${at('pairs.jsonl')}`, `data.eval=${at('held-out.jsonl')}`, 'data.column=chosen'];
    const lines = trained('chosen', ...data, 'lora.rank=4', 'training.epochs=2');
    expect(lines).toHaveLength(49);
    expect(lines.at(-1)!.eval_loss).toBeLessThan(lines[0]!.eval_loss!);
    const config = JSON.parse(readFileSync(join(at('chosen'), 'model', 'adapter_config.json'), 'utf8'));
    expect(config).toMatchObject({ peft_type: 'LORA', r: 4 });
  });

  it('stops at Ctrl-C with a checkpoint, and goes on to the same numbers', async () => {
    const wasm = { ...env, METAAPO_BACKEND: 'wasm' };
    expect(metaapo(sft('whole'), wasm).status).toBe(0);
    const stopped = await interruptedMetaapo(sft('resumed'), /train 1\/12/, wasm);
    expect(stopped.status, stopped.stderr).toBe(130);
    expect(stopped.stderr).toMatch(/stopped after step \d+ of 12\. A checkpoint is saved/);
    const resumed = metaapo(sft('resumed', [], ['--resume']), wasm);
    expect(resumed.status, resumed.stderr).toBe(0);
    expect(timeless('resumed')).toEqual(timeless('whole'));
    const weights = (name: string): Buffer => readFileSync(join(at(name), 'model', 'model.safetensors'));
    expect(weights('resumed').equals(weights('whole'))).toBe(true);
    const steps = linesOf<{ step: number; rows: number[] }>(join(at('resumed'), 'journal.jsonl'));
    expect(steps.map(({ step }) => step)).toEqual(Array.from({ length: 12 }, (_, step) => step + 1));
    expect(new Set(steps.flatMap(({ rows }) => rows)).size).toBe(48);
  });

  it('refuses to write over a run, and to go on with one under another recipe', () => {
    const again = metaapo(sft('straight'), env);
    expect([again.status, again.stderr]).toEqual([2, expect.stringContaining('already holds a run')]);
    const other = metaapo(sft('straight', ['training.learningRate=1e-4'], ['--resume']), env);
    expect([other.status, other.stderr]).toEqual([
      2,
      expect.stringContaining('training.learningRate: 0.001 -> 0.0001'),
    ]);
  });

  it('says what it would do, and with which defaults', () => {
    const planned = metaapo(sft('planned', [], ['--dry-run']), env);
    expect(planned.status, planned.stderr).toBe(0);
    expect(planned.stderr).toContain('48 of 48 rows kept; 96 responses to train');
    expect(planned.stdout).toContain('Training: 48 demonstrations, 12 steps of 4');
    expect(planned.stdout).toContain('turns: all');
    expect(existsSync(at('planned'))).toBe(false);
  });
});

describe('bad input', () => {
  const refused = (...sets: readonly string[]): string => {
    const result = metaapo(sft('refused', sets), env);
    expect(result.status, result.stderr).toBe(2);
    return result.stderr.split('\n').find((line) => line.startsWith('metaapo: '))!;
  };
  const data = (name: string, ...rows: readonly object[]): string => {
    writeFileSync(at(name), rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
    return `data.train=${at(name)}`;
  };
  const question = { role: 'user', content: 'sort 2 1' };
  const answer = { role: 'assistant', content: '1 2' };
  const good = { messages: [question, answer] };

  it('names an unknown key and its nearest spelling', () => {
    expect(refused('data.turn=last')).toMatch(/unknown key data\.turn\. Did you mean turns\?/);
    expect(refused('training.learningrate=1')).toMatch(/Did you mean learningRate\?/);
    expect(refused('loss={id: dpo}')).toContain('unknown key loss');
    expect(refused('data.turns=first')).toContain('data.turns is not accepted');
  });

  it('names file and row of a row that cannot be used', () => {
    expect(refused(data('missing.jsonl', good, { prompt: 'a', chosen: 'b' }))).toMatch(
      /missing\.jsonl, row 1 .*no response.*chosen/,
    );
    expect(refused(data('role.jsonl', good, { messages: [question] }))).toMatch(/role\.jsonl, row 1 /);
    expect(refused(data('end.jsonl', { messages: [question, answer, question] }))).toMatch(
      /end\.jsonl, row 0 .*does not end with an answer/,
    );
    const blank = { messages: [question, { ...answer, content: '' }, question, answer] };
    expect(refused(data('blank.jsonl', good, good, blank))).toMatch(/blank\.jsonl, row 2 .*message 1 .*empty response/);
    expect(refused(data('type.jsonl', { prompt: 'a', response: 7 }))).toMatch(/type\.jsonl, row 0 .*response/);
    expect(refused(data('ids.jsonl', { prompt: [1], response: [99_999] }))).toMatch(/row 0 .*outside the vocabulary/);
    expect(refused(data('long.jsonl', good), 'data.maxLength=8')).toMatch(/row 0 .*longer than the limit/);
    const text = refused(`data.train=${at('pairs.jsonl')}`, 'data.column=answer');
    expect(text).toMatch(/pairs\.jsonl, row 0 .*no `answer`/);
  });
});
