import { readdirSync, readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { beforeAll, expect, it, onTestFinished } from 'vitest';
import { writePreferences } from '../examples/quickstart/write-preferences.js';
import { quickstartModel, root, startedMetaapo, temporaryDirectory } from './support/metaapo.js';

const directory = temporaryDirectory();
const output = join(directory, 'run');
const SECRETS = {
  POLICY_KEY: 'policy-S3CRET-1',
  GATEWAY_KEY: 'gateway-S3CRET-2',
  REWARD_KEY: 'reward-S3CRET-3',
  BODY_KEY: 'body-S3CRET-4',
};

interface Body {
  readonly n?: number;
  readonly seed?: number;
  readonly query?: readonly string[];
}

beforeAll(async () => {
  await writePreferences(join(directory, 'train.jsonl'), 40, 1);
});

/** A server whose every fifth reply is an overload that repeats all that was sent, with the keys in it. */
async function unsteadyServer(answer: (body: Body) => unknown) {
  const seen: { readonly path: string; readonly text: string }[] = [];
  const server = createServer(async (request: IncomingMessage, response: ServerResponse) => {
    let text = '';
    for await (const chunk of request) text += chunk;
    seen.push({ path: request.url ?? '', text });
    const echo = `busy \u001b[31m ${request.url} ${request.headers.authorization} ${text}`;
    if (seen.length % 5 === 0) response.writeHead(seen.length % 2 === 0 ? 503 : 429, { 'retry-after': '0' }).end(echo);
    else response.end(JSON.stringify(answer(text === '' ? {} : JSON.parse(text))));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen };
}

const sorted = ({ n = 1, seed = 0 }: Body) => ({
  choices: Array.from({ length: n }, (_, index) => ({
    index,
    finish_reason: 'stop',
    message: { content: `${(seed + index) % 10} ${(seed + index * 7) % 10}` },
  })),
});
const rewards = ({ query = [] }: Body) => ({ rewards: query.map((text) => text.charCodeAt(text.length - 1) % 7) });

/** Every byte of the files below a directory. */
const bytesBelow = (path: string): string =>
  readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'latin1'))
    .join('\n');

it('samples from two replicas and scores with two servers, and writes or prints no key of theirs', async () => {
  const policies = [await unsteadyServer(sorted), await unsteadyServer(sorted)];
  const scorers = [await unsteadyServer(rewards), await unsteadyServer(rewards)];
  const settings = {
    model: quickstartModel,
    iterations: 1,
    responsesPerPrompt: 4,
    selection: { id: 'all' },
    'data.train': join(directory, 'train.jsonl'),
    'data.maxLength': 64,
    'training.batchSize': 8,
    sampler: {
      id: 'openai',
      baseUrls: policies.map(({ origin }) => `${origin}/v1?key=\${GATEWAY_KEY}`),
      model: 'policy',
      maxNewTokens: 16,
      concurrency: 2,
      apiKeyVariable: 'POLICY_KEY',
      extraBody: { metadata: { api_key: `\${BODY_KEY}` } },
    },
    rewardModel: {
      id: 'http',
      url: scorers.map(({ origin }) => `${origin}/get_reward`),
      batchSize: 4,
      apiKeyVariable: 'REWARD_KEY',
    },
    output,
  };
  const sets = Object.entries(settings).flatMap(([key, value]) => ['--set', `${key}=${JSON.stringify(value)}`]);
  const recipe = join(root, 'examples', 'replicas', 'recipe.yaml');
  const environment = { ...SECRETS, METAAPO_HOME: join(directory, 'home') };
  const { status, stdout, stderr } = await startedMetaapo(['run', recipe, ...sets, '--set', 'adapter='], environment);
  expect(status, stderr).toBe(0);
  for (const { seen } of [...policies, ...scorers]) expect(seen.length).toBeGreaterThan(5);
  const isCall = ({ path }: { readonly path: string }): boolean => path.startsWith('/v1/chat/completions?key=gateway');
  expect(policies.every(({ seen }) => seen.every((call) => isCall(call) && call.text.includes('body-S3CRET')))).toBe(
    true,
  );
  const written = `${stdout}${stderr}${bytesBelow(output)}`;
  expect(written).toContain('GATEWAY_KEY');
  expect(written).not.toContain('S3CRET');
});

it.each<[place: string, settings: object]>([
  ['sampler', { id: 'openai', model: 'policy', baseUrls: ['http://user:S3CRET@127.0.0.1:9/v1'] }],
  ['sampler', { id: 'openai', model: 'policy', baseUrls: ['http://127.0.0.1:9/v1'], extraBody: { api_key: 'S3CRET' } }],
  ['rewardModel', { id: 'http', url: 'http://127.0.0.1:9/r?api_key=S3CRET' }],
  ['rewardModel', { id: 'judge', model: 'm', baseUrls: ['http://127.0.0.1:9/v1?k=S3CRET'] }],
])('refuses a key in the settings of %s, in a dry run as well, and shows it nowhere', async (place, settings) => {
  const recipe = join(root, 'examples', 'replicas', 'recipe.yaml');
  const set = ['--set', `${place}=${JSON.stringify(settings)}`];
  const environment = { METAAPO_HOME: join(directory, 'home') };
  const { status, stdout, stderr } = await startedMetaapo(['run', recipe, '--dry-run', ...set], environment);
  expect(status).toBe(2);
  expect(stderr).toMatch(/holds a key, or what looks like one/);
  expect(stdout + stderr).not.toContain('S3CRET');
});
