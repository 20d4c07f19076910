import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import type { ChatMessage } from '@metaapo/core/contracts';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { writePreferences } from '../examples/quickstart/write-preferences.js';
import { interruptedMetaapo, metaapo, quickstartModel, startedMetaapo, temporaryDirectory } from './support/metaapo.js';

const directory = temporaryDirectory();
const env = { METAAPO_HOME: join(directory, 'home') };
const at = (name: string): string => join(directory, name);
const model = join(at('trained'), 'model');

interface Pair {
  readonly prompt: readonly ChatMessage[];
  readonly chosen: readonly ChatMessage[];
  readonly rejected: readonly ChatMessage[];
}

const linesOf = <Line>(file: string): Line[] =>
  readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);
const writeRows = (name: string, rows: readonly object[]): string => {
  writeFileSync(at(name), rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  return at(name);
};
const rewardsOf = (name: string): number[] => linesOf<{ reward: number }>(at(name)).map(({ reward }) => reward);

function reward(data: string, output: string, ...more: readonly string[]) {
  return metaapo(['reward', '--model', model, '--data', data, '--output', at(output), ...more], env);
}

let trained: ReturnType<typeof metaapo>;

beforeAll(async () => {
  await writePreferences(at('pairs.jsonl'), 160, 1);
  await writePreferences(at('held-out.jsonl'), 48, 2);
  writeFileSync(
    at('recipe.yaml'),
    `
model: ${quickstartModel}
data: { train: ${at('pairs.jsonl')}, eval: ${at('held-out.jsonl')}, maxLength: 128 }
training: { batchSize: 16, learningRate: 1e-3 }
output: ${at('trained')}
`,
  );
  trained = metaapo(['train-reward', at('recipe.yaml')], env);
});

describe('metaapo train-reward', () => {
  it('makes a reward model of a language model, with its held-out accuracy and interval', () => {
    expect(trained.status, trained.stderr).toBe(0);
    expect(trained.stdout).toMatch(/Held-out accuracy 0\.\d{3}, 95 % interval 0\.\d{3} to \d\.\d{3} \(48 pairs\)/);
    const config = JSON.parse(readFileSync(join(model, 'config.json'), 'utf8'));
    expect(config.architectures).toEqual([expect.stringMatching(/ForSequenceClassification$/)]);
  });

  it('says what it would do, and with which defaults', () => {
    const planned = metaapo(['train-reward', at('recipe.yaml'), '--dry-run', '--set', `output=${at('planned')}`], env);
    expect(planned.status, planned.stderr).toBe(0);
    expect(planned.stdout).toMatch(/Training: \d+ pairs, \d+ steps of 16/);
    expect(planned.stdout).toContain('id: bradley-terry');
    expect(existsSync(at('planned'))).toBe(false);
  });

  it('takes no reference and no adapter', () => {
    const refused = metaapo(
      ['train-reward', at('recipe.yaml'), '--set', 'reference=x', '--set', `output=${at('x')}`],
      env,
    );
    expect([refused.status, refused.stderr]).toEqual([2, expect.stringContaining('unknown key reference')]);
  });
});

describe('metaapo reward', () => {
  const pairs = (): Pair[] => linesOf<Pair>(at('held-out.jsonl'));

  it('gives the held-out accuracy that was printed when the model was trained', () => {
    const rows = pairs().flatMap(({ prompt, chosen, rejected }) => [
      { prompt, response: chosen.at(-1)!.content },
      { prompt, response: [rejected.at(-1)!] },
    ]);
    const result = reward(writeRows('held-out-responses.jsonl', rows), 'rewards.jsonl');
    expect(result.status, result.stderr).toBe(0);
    const rewards = rewardsOf('rewards.jsonl');
    const wins = pairs().filter((_, index) => rewards[2 * index]! > rewards[2 * index + 1]!).length;
    expect(trained.stdout).toContain(`Held-out accuracy ${(wins / pairs().length).toFixed(3)},`);
    const margin = rewards.reduce((sum, one, index) => sum + (index % 2 === 0 ? one : -one), 0) / pairs().length;
    const printed = /reward margin +\S+ +(-?\d+\.\d+)/.exec(trained.stdout)?.[1];
    expect(Math.abs(margin - Number(printed))).toBeLessThan(1e-3);
  });

  it('keeps the roles of a response of several messages', () => {
    const [{ prompt, chosen }] = pairs() as [Pair];
    const answer = chosen.at(-1)!;
    const more = [answer, { role: 'user', content: 'again' }, answer];
    const joined = more.map(({ content }) => content).join('\n');
    reward(
      writeRows('turns.jsonl', [
        { prompt, response: more },
        { prompt, response: joined },
      ]),
      'turns-rewards.jsonl',
    );
    const whole = { prompt: [...prompt, ...more.slice(0, 2)], response: [answer] };
    reward(writeRows('whole.jsonl', [whole]), 'whole-rewards.jsonl');
    const [turns, flat] = rewardsOf('turns-rewards.jsonl') as [number, number];
    expect(turns).toBeCloseTo(rewardsOf('whole-rewards.jsonl')[0]!, 4);
    expect(Math.abs(turns - flat)).toBeGreaterThan(1e-4);
  });

  it('scores what generate wrote, in every form of a prompt, by the model and by any reward part', async () => {
    const prompts = [{ prompt: pairs()[0]!.prompt }, { prompt: 'the red' }, { prompt: [1, 5, 6] }];
    const generated = (name: string, rows: readonly object[]): string => {
      const flags = ['--n', '2', '--max-new-tokens', '4', '--output', at(name)];
      const data = writeRows(`prompts-of-${name}`, rows);
      const result = metaapo(['generate', '--model', quickstartModel, '--data', data, ...flags], env);
      expect(result.status, result.stderr).toBe(0);
      return at(name);
    };
    const all = generated('all-forms.jsonl', prompts);
    const byModel = reward(all, 'by-model.jsonl');
    expect(byModel.status, byModel.stderr).toBe(0);
    expect(rewardsOf('by-model.jsonl')).toHaveLength(6);
    const lines = linesOf<{ prompt: unknown }>(all);
    expect(lines.map(({ prompt }) => prompt)).toEqual(prompts.flatMap(({ prompt }) => [prompt, prompt]));

    const texts = generated('texts.jsonl', prompts.slice(0, 2));
    writeFileSync(at('length.mjs'), 'export default (asked) => asked.map(({ response }) => response.length);\n');
    const part = (...args: readonly string[]) =>
      metaapo(['reward', '--data', texts, '--output', at('by-part.jsonl'), '--overwrite', ...args], env);
    const byPart = part('--reward', `{id: function, path: ${at('length.mjs')}}`);
    expect(byPart.status, byPart.stderr).toBe(0);
    const lengths = linesOf<{ response: string }>(texts).map(({ response }) => response.length);
    expect(rewardsOf('by-part.jsonl')).toEqual(lengths);
    expect(part('--reward', 'lenth').stderr).toMatch(/reward model lenth.*Did you mean length\?/);
    expect(part().stderr).toContain('no reward model is named');
    expect(part('--reward', 'length', '--model', model).status).toBe(2);
    expect(part('--reward', `{id: function, path: ${at('lenght.mjs')}}`).stderr).toContain(at('length.mjs'));
  });

  it('has a judge compare the responses to a prompt with one another, and writes null for what cannot be read', async () => {
    const judge = createServer(async (request, response) => {
      const { messages } = (await json(request)) as { messages: readonly { content: string }[] };
      const isUnreadable = messages.at(-1)!.content.includes('unreadable');
      const content = isUnreadable ? 'Both have merits.' : 'A';
      response.end(JSON.stringify({ choices: [{ message: { role: 'assistant', content }, finish_reason: 'stop' }] }));
    });
    await once(judge.listen(0, '127.0.0.1'), 'listening');
    onTestFinished(() => void judge.close());
    const { port } = judge.address() as AddressInfo;
    const rows = ['one', 'two'].flatMap((prompt) => [
      { prompt, response: `good ${prompt}` },
      { prompt, response: `bad ${prompt}` },
    ]);
    const data = writeRows('judged.jsonl', [...rows, { prompt: 'alone', response: 'unreadable' }]);
    const options = `{id: judge, mode: pairwise, baseUrls: ['http://127.0.0.1:${port}/v1'], model: any}`;
    const args = ['reward', '--reward', options, '--data', data, '--output', at('verdicts.jsonl')];
    const result = await startedMetaapo(args, env);
    expect(result.status, result.stderr).toBe(0);
    // The first of two wins in both orders: a tie. A response by itself is compared with none.
    expect(linesOf(at('verdicts.jsonl'))).toEqual([
      ...[0, 1, 2, 3].map((row) => ({ row, reward: 0.5 })),
      { row: 4, reward: null },
    ]);
    expect(result.stdout).toContain('5 responses scored, 1 of them without a readable reward (null)');
  });

  it('refuses what it cannot score, in a paragraph', () => {
    const outside = reward(writeRows('ids.jsonl', [{ prompt: [1], response: [99_999] }]), 'ids-rewards.jsonl');
    expect([outside.status, outside.stderr]).toEqual([2, expect.stringContaining('outside the vocabulary')]);
    const none = reward(at('ids.jsonl'), 'none.jsonl', '--batch-tokens', '0');
    expect([none.status, none.stderr]).toEqual([2, expect.stringContaining('at least 1')]);
    const language = ['reward', '--model', quickstartModel, '--data', at('ids.jsonl'), '--output', at('none.jsonl')];
    expect(metaapo(language, env)).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('no classification head'),
    });
    expect(existsSync(at('none.jsonl'))).toBe(false);
    for (const command of [
      ['reward', '--model', model],
      ['generate', '--model', quickstartModel],
    ]) {
      const nowhere = metaapo([...command, '--data', at('held-out.jsonl'), '--output', at('trained')], env);
      expect([nowhere.status, nowhere.stderr]).toEqual([
        2,
        expect.stringContaining('a directory where a file should be'),
      ]);
    }
  });
});

describe('metaapo generate', () => {
  const generate = (output: string, ...more: readonly string[]): string[] => {
    const flags = ['--data', at('held-out.jsonl'), '--output', at(output), '--seed', '3', ...more];
    return ['generate', '--model', quickstartModel, ...flags];
  };
  interface Response {
    readonly row: number;
    readonly sample: number;
    readonly response: string;
    readonly response_ids: readonly number[];
    readonly finish_reason: string;
  }
  const responsesOf = (name: string): Response[] => linesOf<Response>(at(name));

  it('writes n responses a prompt in input order, the same for the same seed', () => {
    for (const name of ['first.jsonl', 'second.jsonl']) {
      const { status, stderr } = metaapo(generate(name, '--n', '2', '--max-new-tokens', '8'), env);
      expect(status, stderr).toBe(0);
    }
    expect(readFileSync(at('first.jsonl'), 'utf8')).toBe(readFileSync(at('second.jsonl'), 'utf8'));
    const responses = responsesOf('first.jsonl');
    expect(responses.map(({ row, sample }) => [row, sample])).toEqual(
      Array.from({ length: 96 }, (_, index) => [Math.floor(index / 2), index % 2]),
    );
    for (const { response_ids: ids, finish_reason: reason } of responses) {
      expect(ids.length).toBeLessThanOrEqual(8);
      expect(['stop', 'length']).toContain(reason);
    }
  });

  it('shows responses as they are written, and writes log-probabilities', () => {
    const flags = ['--n', '2', '--max-new-tokens', '8', '--stream', '--logprobs'];
    const { status, stdout, stderr } = metaapo(generate('live.jsonl', ...flags), env);
    expect(status, stderr).toBe(0);
    const lines = linesOf<Response & { readonly logprobs: readonly number[] }>(at('live.jsonl'));
    expect(lines.map(({ logprobs: _, ...line }) => line)).toEqual(responsesOf('first.jsonl'));
    for (const { logprobs, response_ids: ids } of lines) {
      expect(logprobs.length).toBe(ids.length);
      expect(logprobs.every((value) => value <= 1e-5)).toBe(true);
    }
    const shown = lines.map(({ row, sample, response }) => `--- row ${row}, response ${sample}\n${response}\n`);
    expect(stdout.startsWith(shown.join(''))).toBe(true);
  });

  it('ends a response before a stop text', () => {
    const plain = responsesOf('first.jsonl');
    const stop = plain.map(({ response }) => response.trim().split(' ')[1]).find(Boolean)!;
    const flags = ['--n', '2', '--max-new-tokens', '8', '--stop', stop, '--stop', 'never said'];
    const { status, stderr } = metaapo(generate('stopped.jsonl', ...flags), env);
    expect(status, stderr).toBe(0);
    const cut = responsesOf('stopped.jsonl');
    expect(cut.filter(({ response }) => response.includes(stop))).toEqual([]);
    for (const [index, { response, finish_reason: reason }] of cut.entries()) {
      expect(plain[index]!.response.startsWith(response)).toBe(true);
      if (plain[index]!.response.includes(stop)) expect(reason).toBe('stop');
    }
    expect(cut.some(({ response }, index) => response !== plain[index]!.response)).toBe(true);
  });

  it('goes on after Ctrl-C with what it has kept', async () => {
    const flags = ['--n', '4', '--max-new-tokens', '64', '--cached-tokens', '400'];
    const whole = metaapo(generate('undisturbed.jsonl', ...flags), env);
    expect(whole.status, whole.stderr).toBe(0);
    const stopped = await interruptedMetaapo(generate('resumed.jsonl', ...flags), /generate \d+\/48/, env);
    expect(stopped.status, stopped.stderr).toBe(130);
    expect(stopped.stderr).toContain('resumed.jsonl.partial; the same command goes on from there');
    expect(existsSync(at('resumed.jsonl'))).toBe(false);
    const kept = readFileSync(at('resumed.jsonl.partial'), 'utf8').trim().split('\n');
    expect(kept.length).toBeGreaterThan(0);
    const resumed = metaapo(generate('resumed.jsonl', ...flags), env);
    expect(resumed.status, resumed.stderr).toBe(0);
    expect(readFileSync(at('resumed.jsonl'), 'utf8')).toBe(readFileSync(at('undisturbed.jsonl'), 'utf8'));
    expect(existsSync(at('resumed.jsonl.partial'))).toBe(false);
  });

  const refused: readonly (readonly [flag: string, value: string, message: RegExp])[] = [
    ['--n', '0', /at least 1/],
    ['--top-k', '0', /at least 1/],
    ['--top-p', '0', /above 0 and up to 1/],
    ['--top-p', '1.1', /above 0 and up to 1/],
    ['--min-p', '2', /from 0 to 1/],
    ['--temperature', '-1', /at least 0/],
    ['--max-new-tokens', '0', /at least 1/],
    ['--repetition-penalty', '0', /above 0/],
    ['--stop', '', /not empty/],
  ];
  it.each(refused)('refuses %s %s', (flag, value, message) => {
    const { status, stderr } = metaapo(generate('refused.jsonl', flag, value), env);
    expect(status).toBe(2);
    expect(stderr.trim()).toMatch(message);
    expect(stderr.trim().split('\n')).toHaveLength(1);
  });

  it('refuses ids outside the vocabulary', () => {
    const data = writeRows('outside.jsonl', [{ prompt: [1, 99_999] }]);
    const { status, stderr } = metaapo(
      ['generate', '--model', quickstartModel, '--data', data, '--output', at('refused.jsonl')],
      env,
    );
    expect([status, stderr]).toEqual([2, expect.stringContaining('outside the vocabulary')]);
  });
});
