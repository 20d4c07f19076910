import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { cp, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { hubServer } from '../packages/hub/test/hub-server.js';
import { chatServer } from '../packages/samplers/test/chat-server.js';
import { metaapo, quickstartModel, root, startedMetaapo, temporaryDirectory } from './support/metaapo.js';

const directory = temporaryDirectory();
const at = (name: string): string => join(directory, name);
const env = { XDG_CACHE_HOME: at('cache') };
const NOWHERE = 'http://127.0.0.1:9/v1';

const written = (name: string, rows: readonly object[]): string => {
  writeFileSync(at(name), rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  return at(name);
};
const linesOf = (name: string): Record<string, unknown>[] =>
  readFileSync(at(name), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));

const PAIR = { prompt: 'the red', chosen: 'fox', rejected: 'the' };
const RESPONSE = { prompt: 'the red', response: 'fox' };
let pairs: string;
let prompts: string;
let responses: string;

beforeAll(async () => {
  pairs = written('pairs.jsonl', [
    PAIR,
    { ...PAIR, chosen: '' },
    { ...PAIR, prompt: [1, 2], chosen: [999_999], rejected: [3] },
    PAIR,
  ]);
  prompts = written('prompts.jsonl', [{ prompt: 'the red' }, { prompt: '' }, { prompt: [999_999] }, { prompt: 'the' }]);
  responses = written('responses.jsonl', [RESPONSE, { prompt: 'the' }, { prompt: [1], response: [2] }, RESPONSE]);
  const described = ['config.json', 'generation_config.json', 'tokenizer.json', 'tokenizer_config.json'];
  await mkdir(at('no-weights'));
  for (const name of described.filter((one) => existsSync(join(quickstartModel, one)))) {
    await cp(join(quickstartModel, name), join(at('no-weights'), name));
  }
});

const scoring = ['score', '--model', quickstartModel, '--loss', 'simpo'];
const generating = ['generate', '--model', quickstartModel, '--max-new-tokens', '4'];
const rewarding = ['reward', '--reward', 'length'];
const COMMANDS: readonly (readonly [name: string, command: readonly string[], data: () => string])[] = [
  ['score', scoring, () => pairs],
  ['generate', generating, () => prompts],
  ['reward', rewarding, () => responses],
];

describe.each(COMMANDS)('metaapo %s', (name, command, data) => {
  const run = (...more: readonly string[]) =>
    metaapo([...command, '--data', data(), '--output', at(`${name}.jsonl`), ...more], env);

  it('refuses a bad row, in a dry run too', () => {
    for (const flags of [[], ['--dry-run']]) {
      const refused = run(...flags);
      expect([refused.status, refused.stderr]).toEqual([2, expect.stringMatching(/row 1 \(counted from 0\)/)]);
    }
  });

  it('leaves bad rows out where it is told to, counts and lists them, and keeps the numbers of the others', () => {
    const planned = run('--dry-run', '--bad-rows', 'drop');
    expect(planned.status, planned.stderr).toBe(0);
    expect(planned.stdout).toMatch(new RegExp(`would be (scored|written).*: ${at(`${name}.jsonl`)}`));
    expect(existsSync(at(`${name}.jsonl`))).toBe(false);
    const done = run('--bad-rows', 'drop');
    expect(done.status, done.stderr).toBe(0);
    for (const { stderr } of [planned, done]) {
      expect(stderr).toMatch(/data: 2 bad rows left out\n.*row 1\b.*\n.*row 2\b/);
    }
    expect(linesOf(`${name}.jsonl`).map(({ row }) => row)).toEqual([0, 3]);
  });
});

describe('a dry run', () => {
  const refused = (...args: readonly string[]): string => {
    const { status, stderr } = metaapo([...args, '--output', at('planned'), '--dry-run'], env);
    expect([status, existsSync(at('planned'))], stderr).toEqual([2, false]);
    return stderr;
  };
  const good = written('good-pairs.jsonl', [PAIR]);
  const asked = written('good-prompts.jsonl', [{ prompt: 'the red' }]);
  const answered = written('good-responses.jsonl', [RESPONSE]);

  it('says what would be done, and writes nothing', () => {
    const planned = (...args: readonly string[]): string => {
      const { status, stdout, stderr } = metaapo([...args, '--output', at('planned'), '--dry-run'], env);
      expect([status, existsSync(at('planned'))], stderr).toEqual([0, false]);
      return stdout;
    };
    const both = ['--model', quickstartModel, '--reference', quickstartModel];
    expect(planned('score', ...both, '--data', good)).toMatch(
      /Policy: weights \d.*\nReference, after the policy: weights.*\n1 pairs of \d+ tokens would be scored by loss dpo/,
    );
    expect(planned(...generating, '--n', '3', '--data', asked)).toMatch(/3 responses of at most 4 tokens/);
    expect(planned('export', '--model', quickstartModel)).toContain('would hold the model in float32');
    const scores = metaapo([...scoring, '--data', good, '--output', at('scores.jsonl')], env);
    expect(scores.status, scores.stderr).toBe(0);
    expect(planned('select', '--scores', at('scores.jsonl'))).toMatch(/\d of 1 rows would be selected/);
  });

  it('looks at weights that lie on this machine', () => {
    const lacking = ['--model', at('no-weights')];
    expect(refused('score', ...lacking, '--loss', 'simpo', '--data', good)).toContain('there are no weights');
    expect(refused('generate', ...lacking, '--data', asked)).toContain('there are no weights');
    expect(refused('export', ...lacking)).toContain('there are no weights');
    const reference = ['--model', quickstartModel, '--reference', at('no-weights')];
    expect(refused('score', ...reference, '--data', good)).toContain('there are no weights');
    const part = `{id: sequence-classification, model: ${at('no-weights')}}`;
    expect(refused('reward', '--reward', part, '--data', answered)).toContain('no classification head');
  });

  it('of a training looks at weights and heads too', () => {
    const training = (...sets: readonly string[]): string => {
      const data = ['--set', `data.train=${good}`, '--set', `output=${at('planned')}`];
      writeFileSync(
        at('recipe.yaml'),
        `model: ${at('no-weights')}\ndata: { train: x }\noutput: y\nloss: { id: simpo }\n`,
      );
      const { status, stderr } = metaapo(['train', at('recipe.yaml'), '--dry-run', ...data, ...sets], env);
      expect(status, stderr).toBe(2);
      return stderr;
    };
    expect(training()).toContain('there are no weights');
    const config = JSON.parse(readFileSync(join(at('no-weights'), 'config.json'), 'utf8'));
    const scorer = { ...config, architectures: ['Qwen2ForSequenceClassification'], num_labels: 1, pad_token_id: 0 };
    const file = join(at('no-weights'), 'config.json');
    writeFileSync(file, JSON.stringify(scorer));
    expect(training()).toContain('a reward model cannot be trained as a policy');
    writeFileSync(file, JSON.stringify(config));
  });

  it('judges whether a model can be what it is for', () => {
    expect(refused('reward', '--model', quickstartModel, '--data', answered)).toContain('no classification head');
    expect(refused(...generating, '--cached-tokens', '1', '--max-new-tokens', '900', '--data', asked)).toContain(
      'a request is larger than the KV cache',
    );
    const token = ['--loss', 'nonsense', '--data', good];
    expect(refused('score', '--model', quickstartModel, ...token)).toContain('nonsense');
  });

  it('opens files and servers of reward parts', async () => {
    writeFileSync(at('broken.mjs'), 'export const score = 1;');
    const rewarded = (part: string): string => refused('reward', '--reward', part, '--data', answered);
    expect(rewarded(`{id: function, path: ${at('broken.mjs')}}`)).toContain('no function');
    expect(rewarded(`{id: judge, model: m, baseUrls: ['${NOWHERE}']}`)).toMatch(/cannot be reached/);
    const { url, seen } = await chatServer({ other: (_, __, response) => void response.end('{}') });
    const part = `{id: judge, model: m, baseUrls: ['${url}']}`;
    const planned = await startedMetaapo(
      ['reward', '--reward', part, '--data', answered, '--output', at('planned'), '--dry-run'],
      env,
    );
    expect(planned.status, planned.stderr).toBe(0);
    expect(planned.stdout).toContain('1 responses would be scored');
    expect(seen).toEqual([]);
  });

  it('refuses an annotation rule that scores in rounds what a judge compares, as the run does', async () => {
    const { url } = await chatServer({ other: (_, __, response) => void response.end('{}') });
    const settings = {
      ...{ model: quickstartModel, 'data.train': good, 'data.eval': '', evaluateRewards: '', output: at('planned') },
      rewardModel: { id: 'judge', mode: 'pairwise', model: 'm', baseUrls: [url] },
      annotation: { id: 'adaptive', spread: 1 },
    };
    const sets = Object.entries(settings).flatMap(([key, value]) => [
      '--set',
      `${key}=${value === '' ? '' : JSON.stringify(value)}`,
    ]);
    const recipe = join(root, 'examples/quickstart/recipe.yaml');
    for (const flags of [['--dry-run'], []]) {
      const { status, stderr } = await startedMetaapo(['run', recipe, ...sets, ...flags], env);
      expect([status, stderr]).toEqual([
        2,
        expect.stringMatching(/annotation rule adaptive, reward model judge: .*hold within one call alone/),
      ]);
    }
  });

  it('fetches no weights', async () => {
    const names = ['config.json', 'tokenizer.json', 'tokenizer_config.json'];
    const files = Object.fromEntries(names.map((name) => [name, readFileSync(join(quickstartModel, name), 'utf8')]));
    const weights = { 'model.safetensors': 'gigabytes' };
    const { endpoint, seen } = await hubServer({ 'models/owner/policy': { files: { ...files, ...weights } } });
    const hub = { ...env, HF_ENDPOINT: endpoint, HF_HOME: at('hub') };
    const planned = async (...args: readonly string[]): Promise<void> => {
      const { status, stderr } = await startedMetaapo([...args, '--output', at('planned'), '--dry-run'], hub);
      expect(status, stderr).toBe(0);
    };
    await planned('generate', '--model', 'owner/policy', '--data', asked);
    await planned('score', '--model', 'owner/policy', '--reference', 'owner/policy', '--data', good);
    expect(seen.length).toBeGreaterThan(0);
    expect(seen.filter(({ path }) => path.includes('safetensors'))).toEqual([]);
    await rm(at('hub'), { recursive: true });
  });
});
