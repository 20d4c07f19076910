import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import type { RewardRequest } from '@metaapo/core/contracts';
import { describeRewardModel } from '@metaapo/testing';
import { describe, expect, it, onTestFinished } from 'vitest';
import { addressOfTest, type RewardServerOptions, rewardServer } from '../../test/reward-server.js';
import { judge, judgePart } from './judge.js';
import type { JudgeOptions } from './judge-options.js';

interface Body {
  readonly messages: readonly { readonly role: string; readonly content: string }[];
  readonly seed: number;
}

const question = ({ messages }: Body): string => messages.at(-1)!.content;
const saying = (content: unknown) => ({ choices: [{ message: { content } }] });

/** What stands between the tags of a default template. */
const between = (text: string, tag: string): string =>
  new RegExp(`<${tag}>\\n([\\s\\S]*?)\\n</${tag}>`).exec(text)?.[1] ?? '';

/** A judge that likes what is long, up to ten characters. */
const byLength = (body: Body) => {
  const text = between(question(body), 'answer');
  return saying(`It is long.\n\nScore: ${Math.min(Math.max(text.length, 1), 10)}`);
};

/** A judge that prefers the longer answer. */
const longer = (body: Body) => {
  const [a, b] = ['answer_a', 'answer_b'].map((tag) => between(question(body), tag).length) as [number, number];
  return saying(`Compared.\nWinner: ${a > b ? 'A' : a < b ? 'B' : 'tie'}\n`);
};

async function judging(server: RewardServerOptions<Body>, options: Partial<JudgeOptions> = {}, env = {}) {
  const { url, ...rest } = await rewardServer<Body>(server);
  return { ...rest, url, model: await judge({ baseUrls: [`${url}/v1`], model: 'wise', ...options }, { env }) };
}

const requests = (...responses: string[]): RewardRequest[] =>
  responses.map((response) => ({ prompt: 'Say something', response }));

for (const [mode, answer] of [['pointwise', byLength] as const, ['pairwise', longer] as const]) {
  const create = async () => judge({ baseUrls: [await addressOfTest<Body>({ answer })], model: 'wise', mode });
  describeRewardModel({ describe, it }, create, { name: `judge ${mode} as a reward model`, honoursAbort: true });
}

describe('a score', () => {
  it('stands in the last line, whatever stands before', async () => {
    const { model, seen } = await judging({ answer: () => saying('Score: 2\nNo, better:\n  Score: 9 \n\n') });
    expect([...(await model.score(requests('a')))]).toEqual([9]);
    const { path, body } = seen[0]!;
    expect(path).toBe('/v1/chat/completions');
    expect(body).toMatchObject({ model: 'wise', max_tokens: 1024, temperature: 0, seed: 0 });
    expect(question(body)).toContain('<conversation>\nSay something\n</conversation>');
    expect(question(body)).toContain('a number from 1 (worst) to 10 (best)');
  });

  it('is asked for again with another seed until it can be read, then NaN', async () => {
    const answers = [undefined, 'Score: 99', 'Score: 5'];
    const { model, seen } = await judging({ answer: ({ seed }) => saying(answers[seed]) }, { temperature: 0.5 });
    expect([...(await model.score(requests('a')))]).toEqual([5]);
    expect(seen.map(({ body }) => body.seed)).toEqual([0, 1, 2]);
    const dumb = await judging({ answer: () => saying('?') }, { attempts: 2, temperature: 0.5 });
    expect([...(await dumb.model.score(requests('a')))]).toEqual([Number.NaN]);
    expect(dumb.seen).toHaveLength(2);
  });

  it('is asked for once at temperature 0, where the answer would be the same', async () => {
    const dumb = await judging({ answer: () => saying('?') });
    expect([...(await dumb.model.score(requests('a')))]).toEqual([Number.NaN]);
    expect(dumb.seen).toHaveLength(1);
    await expect(judging({ answer: byLength }, { attempts: 2 })).rejects.toThrow(/attempts: it needs a temperature/);
    const drawn = await judging({ answer: () => saying('?') }, { extraBody: { temperature: null } });
    await drawn.model.score(requests('a'));
    expect(drawn.seen).toHaveLength(3);
  });

  it('may be found by a pattern of one’s own', async () => {
    const answer = () => saying('<think>points 1</think>Ich gebe 3 Punkte, nein: 8 Punkte.');
    const { model } = await judging({ answer }, { pattern: '(\\d+) Punkte' });
    expect([...(await model.score(requests('a')))]).toEqual([8]);
    const pair = await judging({ answer: () => saying('[[B]]') }, { mode: 'pairwise', pattern: '\\[\\[(\\w+)\\]\\]' });
    expect([...(await pair.model.score(requests('a', 'b')))]).toEqual([0.5, 0.5]);
    await expect(judging({ answer }, { pattern: '(' })).rejects.toThrow(/pattern: it is no regular expression/);
  });

  it('that none of the first answers states ends the run with an example', async () => {
    const { model, seen } = await judging({ answer: () => saying('I like it. My rating would be high.') });
    await expect(model.score(requests('a', 'b', 'c', 'd', 'e'))).rejects.toThrow(
      /^reward model judge: 4 answers in a row hold no reward.*states Score: 7; got "I like it. My rating.*Set pattern/,
    );
    expect(seen.length).toBeLessThan(6);
    const thought = { finish_reason: 'length', message: { content: null, reasoning_content: 'Hm, so' } };
    const silent = await judging({ answer: () => ({ choices: [thought] }) });
    const scoring = silent.model.score(requests('a', 'b', 'c', 'd'));
    await expect(scoring).rejects.toThrow(/"finish_reason":"length".*"reasoning_content":"Hm, so".*raise maxNewTokens/);
  });

  it('that some answers do not state is NaN for those alone', async () => {
    const texts = Array.from({ length: 12 }, (_, at) => 'x'.repeat(at + 1));
    const answer = (body: Body) => (between(question(body), 'answer').length > 1 ? saying('?') : byLength(body));
    const { model } = await judging({ answer }, { concurrency: 1 });
    expect([...(await model.score(requests(...texts)))].filter(Number.isNaN)).toHaveLength(11);
  });

  it('is asked for again where the reply holds no answer, or tells of an error', async () => {
    const replies: readonly unknown[] = [
      { choices: [] },
      { choices: null },
      { error: { code: 429, message: 'later' } },
    ];
    const { model, seen } = await judging({ answer: (body, count) => replies[count - 1] ?? byLength(body) });
    expect([...(await model.score(requests('abc')))]).toEqual([3]);
    expect(seen).toHaveLength(4);
  });
});

describe('pairwise', () => {
  it('compares the responses to one prompt in both orders, and none of different prompts', async () => {
    const { model, seen } = await judging({ answer: longer }, { mode: 'pairwise' });
    const others = [
      { prompt: 'Another', response: 'xx' },
      { prompt: 'Another', response: 'x' },
    ];
    expect([...(await model.score([...requests('a', 'bbb', 'cc'), ...others]))]).toEqual([0, 1, 0.5, 1, 0]);
    expect(seen).toHaveLength(3 * 2 + 2);
    expect(model.isRelative).toBe(true);
  });

  it('takes the preference for a place out by swapping', async () => {
    const { model } = await judging({ answer: () => saying('Winner: A') }, { mode: 'pairwise' });
    expect([...(await model.score(requests('a', 'b', 'c')))]).toEqual([0.5, 0.5, 0.5]);
  });

  it('ties equal texts without asking, and asks about each two texts once', async () => {
    const { model, seen } = await judging({ answer: longer }, { mode: 'pairwise' });
    expect([...(await model.score(requests('a', 'a', 'bb')))]).toEqual([0.25, 0.25, 1]);
    expect(seen).toHaveLength(2);
  });

  it('leaves out a comparison with an order that cannot be read; NaN where none is left', async () => {
    const answer = (body: Body) =>
      between(question(body), 'answer_a') === 'a' && between(question(body), 'answer_b') === 'bb'
        ? saying('?')
        : longer(body);
    const { model, seen } = await judging({ answer }, { mode: 'pairwise', attempts: 2, temperature: 0.5 });
    let unreadable = 0;
    const scores = await model.score(requests('a', 'bb', 'ccc'), undefined, () => void unreadable++);
    expect([[...scores], unreadable]).toEqual([[0, 0, 1], 1]);
    expect(seen).toHaveLength(7);
    expect([...(await model.score(requests('a', 'bb')))]).toEqual([Number.NaN, Number.NaN]);
    expect([...(await model.score(requests('alone')))]).toEqual([Number.NaN]);
  });
});

describe('a template', () => {
  const directory = (): string => {
    const path = mkdtempSync(join(tmpdir(), 'metaapo-judge-'));
    onTestFinished(() => rmSync(path, { recursive: true }));
    return path;
  };

  it('comes from a file; braces in a response stay what they are', async () => {
    const { url, seen } = await rewardServer<Body>({ answer: () => saying('Score: 3') });
    const baseDirectory = directory();
    writeFileSync(join(baseDirectory, 'judge.txt'), 'P={prompt} R={response} {minScore}-{maxScore} {other}');
    const options = { baseUrls: [url], model: 'wise', templatePath: 'judge.txt', minScore: 0, maxScore: 5 };
    const context = { baseDirectory, report: () => undefined, env: {} };
    const given = judgePart.options['~standard'].validate({ ...options, systemPrompt: 'Be fair.' });
    const model = await judgePart.create((given as { value: JudgeOptions }).value, context);
    await model.score([{ prompt: [{ role: 'user', content: 'Hi {response}' }], response: '{prompt} $& $1' }]);
    expect(seen[0]!.body.messages).toEqual([
      { role: 'system', content: 'Be fair.' },
      { role: 'user', content: 'P=user: Hi {response} R={prompt} $& $1 0-5 {other}' },
    ]);
    const own = await judge({ ...options, templatePath: undefined }, { baseDirectory });
    expect(own.fingerprint).not.toBe(model.fingerprint);
  });

  it('has to be there and to have a place for everything', async () => {
    const baseDirectory = directory();
    const made = (templatePath: string) =>
      judge({ baseUrls: ['http://localhost:1'], model: 'wise', mode: 'pairwise', templatePath }, { baseDirectory });
    await expect(made('none.txt')).rejects.toThrow(/none.txt: the template of the judge cannot be read/);
    await expect(made('.')).rejects.toThrow(/the template of the judge cannot be read.*a regular file/s);
    writeFileSync(join(baseDirectory, 'half.txt'), '{prompt} {first}');
    await expect(made('half.txt')).rejects.toThrow(/half.txt: the template of the judge has no place for {second}/);
  });
});

describe('the service', () => {
  it('may fail now and then: every question is answered once', async () => {
    const { model, answered } = await judging({
      answer: byLength,
      fault: (count, body) => ([503, 'cut', undefined] as const)[(question(body).length + count) % 3],
    });
    const texts = Array.from({ length: 10 }, (_, at) => 'x'.repeat(at + 1));
    expect([...(await model.score(requests(...texts)))]).toEqual(texts.map(({ length }) => length));
    expect(answered).toHaveLength(10);
  });

  it('ends all questions when it refuses one, and never shows the API key', async () => {
    const { model, seen } = await judging(
      { answer: byLength, fault: () => 401 },
      { apiKeyVariable: 'JUDGE_KEY', concurrency: 1 },
      { JUDGE_KEY: 'sk-secret' },
    );
    const error = await model.score(requests('a', 'b', 'c')).catch((reason: unknown) => reason);
    expect(String(error)).toMatch(/reward model judge at .*got status 401: a fault, Bearer \*\*\*. Set JUDGE_KEY/);
    expect(inspect([error, model], { depth: 9 })).not.toContain('secret');
    expect(seen).toHaveLength(1);
    expect(seen[0]!.authorization).toBe('Bearer sk-secret');
  });

  it('that answers in another protocol is an error', async () => {
    const { model } = await judging({ answer: () => ({ reply: 'what?' }) });
    await expect(model.score(requests('a'))).rejects.toThrow(/no choices.*got {"reply":"what\?"}.*end with \/v1/);
  });
});

it('refuses options that do not fit together', async () => {
  const made = (options: Partial<JudgeOptions>) =>
    judge({ baseUrls: ['http://localhost:1'], model: 'wise', ...options });
  await expect(made({ minScore: 10 })).rejects.toThrow(/judge maxScore: it has to be above minScore, which is 10/);
  await expect(made({ mode: 'pairwise', maxScore: 5 })).rejects.toThrow(/maxScore: it is for mode: pointwise alone/);
  await expect(made({ extraBody: { n: 2 } })).rejects.toThrow(/extraBody: n is decided by the judge/);
});
