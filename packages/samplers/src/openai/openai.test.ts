import { inspect } from 'node:util';
import { parseOptions } from '@metaapo/core/contracts';
import { describeSampler } from '@metaapo/testing';
import { describe, expect, it } from 'vitest';
import { characterPolicy, characters, END_OF_TEXT } from '../../test/character-policy.js';
import { type ChatBody, chatServer, plainChoices } from '../../test/chat-server.js';
import { all, type Given, request, requests, samplerOf, served } from '../../test/sampling.js';
import { asCompleted } from './as-completed.js';
import { openai, openaiPart } from './openai.js';

for (const options of [
  {},
  { endpoint: 'completions' },
  { useN: false, stop: ['END'], extraBody: { a: [1] } },
] as const) {
  describeSampler({ describe, it }, async () => samplerOf([(await chatServer()).url], options), {
    name: `openai ${JSON.stringify(options)} as a sampler`,
  });
}

describe('a reply that is none', () => {
  it('no list of choices is an error that shows what came', async () => {
    const { sampler } = await served({ choices: () => 'none' });
    await expect(all(sampler, [request(1)])).rejects.toThrow(
      /holds no choices.*"choices":"none".*baseUrls end with \/v1/,
    );
  });

  it('a wrong model is an error at once', async () => {
    const { sampler, seen } = await served({}, { model: 'other' });
    await expect(all(sampler, [request(1)])).rejects.toThrow(/got status 404: .*model other.*the name of the model/);
    expect(seen).toHaveLength(1);
  });

  it('never shows the API key, which was sent', async () => {
    const { url, seen } = await chatServer({ choices: ({ seed }) => (seed === 1001 ? [`sk-${'secret'}`] : []) });
    const options = { apiKeyVariable: 'POLICY_KEY', model: 'other' };
    const secret = samplerOf([url], options, { env: { POLICY_KEY: 'sk-secret' } });
    const told = samplerOf([url], { apiKeyVariable: 'POLICY_KEY', retries: 0 }, { env: { POLICY_KEY: 'sk-secret' } });
    expect(JSON.stringify(secret.options)).not.toContain('secret');
    for (const from of [secret, told]) {
      const error = await all(from, [request(1)]).catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(Error);
      expect(inspect(error, { depth: 9 })).not.toContain('secret');
    }
    expect(seen[0]!.authorization).toBe('Bearer sk-secret');
  });
});

describe('many requests', () => {
  it('are each answered once over servers that are dead, faulty or sound', async () => {
    const dead = await chatServer();
    dead.close();
    const faults = ['cut', 503, undefined, 'garbage', 429, undefined] as const;
    const faulty = await chatServer({
      fault: (count, { seed }) => (count <= 2 ? faults[(seed + count * 3) % faults.length] : undefined),
    });
    const sound = await chatServer();
    const from = samplerOf([dead.url, faulty.url, sound.url], { concurrency: 3, retries: 4 });
    const answers = await all(from, requests(40, 2));
    expect(answers.map(({ row }) => row).sort((a, b) => a - b)).toEqual(requests(40).map(({ row }) => row));
    for (const { row, responses } of answers) {
      expect(responses.map(({ text }) => text)).toEqual([0, 1].map((at) => `row ${row} ${(1000 + row) % 97} ${at}`));
    }
    const seeds = [...faulty.answered, ...sound.answered].map(({ seed }) => seed);
    expect(seeds.sort((a, b) => a - b)).toEqual(requests(40).map(({ seed }) => seed));
  });

  it('go to the server that is free, so the fast one gets more', async () => {
    const allTaken = deferred();
    const slow = await chatServer({ choices: (body) => allTaken.promise.then(() => plainChoices(body)) });
    const fast = await chatServer({
      choices: (body) => {
        if (fast.seen.length === 18) allTaken.resolve(undefined);
        return plainChoices(body);
      },
    });
    expect(await all(samplerOf([slow.url, fast.url], { concurrency: 2 }), requests(20))).toHaveLength(20);
    expect([slow.answered.length, fast.answered.length]).toEqual([2, 18]);
  });

  it('are yielded as soon as they are complete', async () => {
    const first = deferred();
    const { sampler } = await served({
      choices: async (body) => {
        if (body.seed === 1000) await first.promise;
        return plainChoices(body);
      },
    });
    const rows: number[] = [];
    for await (const { row } of sampler.sample(requests(3))) {
      rows.push(row);
      if (rows.length === 2) first.resolve(undefined);
    }
    expect(rows.slice(0, 2).sort()).toEqual([1, 2]);
    expect(rows[2]).toBe(0);
  });

  it('that are answered are yielded before the failure of another is thrown', async () => {
    const others = deferred();
    const { sampler } = await served({
      choices: async (body: ChatBody) => {
        if (body.seed === 1002) await others.promise;
        return body.seed === 1002 ? 'broken' : plainChoices(body);
      },
    });
    const rows: number[] = [];
    const consume = async (): Promise<void> => {
      for await (const { row } of sampler.sample(requests(3))) {
        rows.push(row);
        if (rows.length === 2) others.resolve(undefined);
      }
    };
    await expect(consume()).rejects.toThrow(/row 2: the reply holds no choices/);
    expect(rows.sort()).toEqual([0, 1]);
  });

  it('stop at once when the signal is aborted', async () => {
    const { sampler, seen, closed } = await served({ fault: () => 'hang' });
    const stop = new AbortController();
    const sampled = all(sampler, requests(3), stop.signal);
    await waitFor(() => seen.length === 3);
    stop.abort('enough');
    await expect(sampled).rejects.toBe('enough');
    await Promise.all(closed);
  });

  it('stop when the caller has enough', async () => {
    const { sampler, seen, closed } = await served({
      fault: (_, { seed }) => (seed === 1000 ? undefined : 'hang'),
      choices: async (body) => {
        await waitFor(() => seen.length === 4);
        return plainChoices(body);
      },
    });
    for await (const { row } of sampler.sample(requests(4))) {
      expect(row).toBe(0);
      break;
    }
    await Promise.all(closed);
  });
});

it('what is done is yielded before a failure that came earlier', async () => {
  const tasks = [Promise.resolve(1), Promise.reject(new Error('broken')), Promise.resolve(2)];
  const results: number[] = [];
  const consume = async (): Promise<void> => {
    for await (const result of asCompleted(tasks)) results.push(result);
  };
  await expect(consume()).rejects.toThrow('broken');
  expect(results).toEqual([1, 2]);
});

describe('options', () => {
  const make = (options: Given) => () => samplerOf(['http://localhost:1/v1'], options);

  it('that do not fit together are refused', () => {
    expect(make({ refresh: 'command' })).toThrow(/openai refreshCommand: refresh: command needs it/);
    expect(make({ refresh: 'reload-endpoint' })).toThrow(/openai refreshPath: refresh: reload-endpoint needs it/);
    expect(make({ refresh: 'directory' })).toThrow(/openai refreshDirectory: refresh: directory needs it/);
    expect(make({ refresh: 'directory', refreshDirectory: 'served', refreshBody: {} })).toThrow(
      /for refreshPath alone/,
    );
    expect(make({ refreshCommand: 'true' })).toThrow(/refreshCommand: it is for refresh: command alone/);
    expect(make({ refreshBody: {} })).toThrow(/refreshBody: it is for refresh: reload-endpoint or directory alone/);
    expect(make({ startModel: 'base' })).toThrow(/startModel: it needs a refresh/);
    expect(make({ extraBody: { stream: true } })).toThrow(/extraBody: stream is decided by the sampler/);
    expect(() => samplerOf([])).toThrow(/openai baseUrls/);
    expect(() => samplerOf(['http://me:sk-secret@localhost/v1'])).toThrow(/^(?!.*secret).*baseUrls.0 holds a key/);
    expect(make({ timeoutSeconds: 301 })).toThrow(/timeoutSeconds/);
  });

  it('need a policy with a tokenizer, and an API key where one is named', () => {
    const options = { baseUrls: ['http://localhost:1/v1'], model: 'policy' };
    const { tokenizer: _, ...bare } = characterPolicy();
    expect(() => openai(options, bare)).toThrow(/the policy has no tokenizer/);
    const context = { baseDirectory: '/', report: () => undefined, env: {} };
    const checked = parseOptions('sampler openai', openaiPart.options, options);
    expect(() => openaiPart.create(checked, context)).toThrow(/no policy whose tokenizer/);
    expect(make({ apiKeyVariable: 'POLICY_KEY' })).toThrow(/in the environment variable POLICY_KEY/);
  });

  it('cannot send token ids alone to a chat server', async () => {
    const from = samplerOf(['http://localhost:1/v1']);
    const bare = request(1, 1, { messages: undefined, text: undefined });
    await expect(all(from, [bare])).rejects.toThrow(/row 1: the prompt is token ids alone.*completions/);
  });

  it('ends a conversation as a template says, and as the tokenizer does where there is none', async () => {
    const { url } = await chatServer();
    const bare = characterPolicy({ ...characters, hasChatTemplate: false });
    const from = openai({ baseUrls: [url], model: 'policy' }, bare);
    const [answer] = await all(from, [request(1)]);
    expect(answer!.responses[0]!.tokens.at(-1)).toBe(END_OF_TEXT);
  });
});

/** Turns the event loop until something holds; the test's time limit ends it otherwise. */
async function waitFor(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setImmediate(resolve));
}

function deferred() {
  let resolve: (value: unknown) => void = () => undefined;
  const promise = new Promise<unknown>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
