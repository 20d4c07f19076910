import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { writePreferences } from '../examples/quickstart/write-preferences.js';
import { hubServer } from '../packages/hub/test/hub-server.js';
import { type CommandResult, quickstartModel, startedMetaapo, temporaryDirectory } from './support/metaapo.js';

const root = temporaryDirectory();

/** A secret that nobody else has, with characters that JSON, addresses and shells write in another way. */
const secretOf = (place: string): string => `${place}-${randomBytes(12).toString('hex')}+/"%`;
/** One that an address and a recipe can hold as it is. */
const plainSecretOf = (place: string): string => `${place}${randomBytes(12).toString('hex')}`;

/** Where a command writes: its directory, its caches, crash files. What is given to it lies beside them. */
function workplace() {
  const base = mkdtempSync(join(root, 'work-'));
  const [given, written] = [join(base, 'given'), join(base, 'written')];
  for (const directory of [given, ...['tmp', 'home', 'hub'].map((name) => join(written, name))]) {
    mkdirSync(directory, { recursive: true });
  }
  const env = { TMPDIR: join(written, 'tmp'), METAAPO_HOME: join(written, 'home'), HF_HOME: join(written, 'hub') };
  return { given, written, env };
}

/** Every form in which a secret may be written. */
const formsOf = (secret: string): readonly string[] => [
  secret,
  JSON.stringify(secret).slice(1, -1),
  encodeURIComponent(secret),
  Buffer.from(secret).toString('base64').slice(0, -4),
  Buffer.from(secret).toString('hex'),
];

/** Where secrets were written or printed: nowhere, as it should be. */
function leaks(secrets: readonly string[], written: string, { stdout, stderr }: CommandResult): readonly string[] {
  const files = readdirSync(written, { recursive: true, encoding: 'utf8' }).filter((name) =>
    statSync(join(written, name)).isFile(),
  );
  const places: readonly (readonly [string, string])[] = [
    ['stdout', stdout],
    ['stderr', stderr],
    ['names of files', files.join('\n')],
    ...files.map((name) => [name, readFileSync(join(written, name), 'latin1')] as const),
  ];
  const isIn = (content: string): boolean => secrets.flatMap(formsOf).some((form) => content.includes(form));
  return places.filter(([, content]) => isIn(content)).map(([name]) => name);
}

/** A server that answers as a sampler, a judge and a reward model, and repeats in every refusal all that it was sent. */
async function echoingServer({ refused = '', busy = false }: { readonly refused?: string; readonly busy?: boolean }) {
  const seen: string[] = [];
  const asked = new Map<string, number>();
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString();
    const { url = '', headers } = request;
    const echo = `${url} ${decodeURIComponent(url)} ${JSON.stringify(headers)} ${text}`;
    seen.push(echo);
    const count = (asked.get(url + text) ?? 0) + 1;
    asked.set(url + text, count);
    if (refused !== '' && url.includes(refused)) response.writeHead(400, { location: echo.slice(0, 50) }).end(echo);
    else if (busy && count === 1) response.writeHead(503).end(echo);
    else response.end(JSON.stringify(answerTo(url, text)));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen };
}

interface SentBody {
  readonly query?: readonly string[];
  readonly seed?: number;
  readonly n?: number;
  readonly messages?: readonly { readonly content: string }[];
}

function answerTo(url: string, text: string): unknown {
  const { query, seed = 0, n = 1, messages = [] } = JSON.parse(text || '{}') as SentBody;
  if (query !== undefined) return { rewards: query.map((one) => one.length % 7) };
  if (url.includes('/judge/')) return { choices: [{ message: { content: `Score: ${1 + (seed % 9)}` } }] };
  const content = messages.at(-1)?.content.slice(0, 5) ?? '';
  const choice = (index: number) => ({
    index,
    finish_reason: 'stop',
    message: { content: `${content}${index}${seed % 7}` },
  });
  return { success: true, choices: Array.from({ length: n }, (_, index) => choice(index)) };
}

const SECRETS = [
  'SAMPLER_KEY',
  'SAMPLER_BODY',
  'SAMPLER_QUERY',
  'RELOAD_BODY',
  'REWARD_KEY',
  'REWARD_QUERY',
  'JUDGE_KEY',
  'JUDGE_BODY',
];

/** The recipe of a run that asks servers for all that can be asked for, with keys from the environment. */
function recipeOf(origin: string, output: string): Readonly<Record<string, unknown>> {
  /* biome-ignore-start lint/suspicious/noTemplateCurlyInString: it is what a recipe says. */
  const sampler = {
    ...{ id: 'openai', model: 'policy', maxNewTokens: 8, baseUrls: [`${origin}/sampler/v1?key=\${SAMPLER_QUERY}`] },
    ...{ apiKeyVariable: 'SAMPLER_KEY', extraBody: { nested: [{ secret_key: '${SAMPLER_BODY}' }] }, probe: false },
    ...{ refresh: 'reload-endpoint', refreshPath: 'reload', retries: 1 },
    refreshBody: { path: '{directory}', password: '${RELOAD_BODY}' },
  };
  const http = {
    id: 'http',
    url: `${origin}/reward?api_key=\${REWARD_QUERY}`,
    apiKeyVariable: 'REWARD_KEY',
    retries: 1,
  };
  const judge = {
    ...{ id: 'judge', mode: 'pointwise', model: 'm', baseUrls: [`${origin}/judge/v1`], apiKeyVariable: 'JUDGE_KEY' },
    ...{ extraBody: { user: '${JUDGE_BODY}' }, retries: 1 },
  };
  /* biome-ignore-end lint/suspicious/noTemplateCurlyInString: it is what a recipe says. */
  return {
    model: quickstartModel,
    loss: { id: 'dpo', beta: 0.1 },
    // All rewards are equal: without the offline pairs nothing would be trained, and no server told of it.
    unselected: 'keep',
    metaLearner: { id: 'mlp', updateEvery: 4 },
    data: { train: 'owner/rows', trainSplit: 'train', eval: 'owner/rows', evalSplit: 'test', maxLength: 64 },
    iterations: 2,
    responsesPerPrompt: 2,
    selection: { id: 'all' },
    sampler,
    rewardModel: {
      id: 'ensemble',
      members: [
        { rewardModel: http, weight: 1 },
        { rewardModel: judge, weight: 1 },
      ],
    },
    evaluateRewards: 2,
    training: { batchSize: 8, learningRate: 1e-4 },
    output,
  };
}

/** A run with a secret in every variable, from a hub that wants a token. */
async function runWithSecrets(server: Parameters<typeof echoingServer>[0], { tokenFile = false } = {}) {
  const { given, written, env } = workplace();
  const token = `hf${randomBytes(16).toString('hex')}`;
  const secrets = Object.fromEntries(
    SECRETS.map((name) => [name, name.endsWith('_KEY') ? plainSecretOf(name) : secretOf(name)]),
  );
  for (const [name, seed] of [
    ['train', 1],
    ['test', 2],
  ] as const)
    await writePreferences(join(given, `${name}.jsonl`), 8, seed);
  const files = Object.fromEntries(
    ['train', 'test'].map((name) => [`${name}.jsonl`, readFileSync(join(given, `${name}.jsonl`))]),
  );
  const hub = await hubServer({ 'datasets/owner/rows': { files, large: ['train.jsonl'], requiredToken: token } });
  const { origin, seen } = await echoingServer(server);
  writeFileSync(join(given, 'recipe.yaml'), JSON.stringify(recipeOf(origin, join(written, 'run'))));
  if (tokenFile) writeFileSync(join(given, 'token'), token);
  const hubToken = tokenFile ? { HF_TOKEN_PATH: join(given, 'token') } : { HF_TOKEN: token };
  const args = ['run', join(given, 'recipe.yaml')];
  const result = await startedMetaapo(args, { ...env, ...secrets, ...hubToken, HF_ENDPOINT: hub.endpoint });
  return {
    result,
    seen: seen.join('\n'),
    leaked: leaks([token, ...Object.values(secrets)], written, result),
    secrets,
    written,
  };
}

describe('secrets from the environment', () => {
  it('reach the servers that they are for, and nothing that is written or printed', async () => {
    const { result, seen, leaked, secrets, written } = await runWithSecrets({ busy: true });
    expect(result.status, result.stderr).toBe(0);
    for (const secret of Object.values(secrets)) expect(formsOf(secret).some((form) => seen.includes(form))).toBe(true);
    expect(readdirSync(join(written, 'run'))).toEqual(
      expect.arrayContaining(['recipe.yaml', 'journal.jsonl', 'report.html']),
    );
    expect(leaked).toEqual([]);
  });

  it.each(['/sampler/', '/reload', '/reward', '/judge/'])(
    'are in no message of a server that repeats them: %s',
    async (refused) => {
      const { result, leaked } = await runWithSecrets({ refused }, { tokenFile: refused === '/reward' });
      expect(result.status, result.stdout).toBe(2);
      expect(result.stderr).toContain('400');
      expect(leaked).toEqual([]);
    },
  );
});

/** Where somebody may put a secret that belongs into the environment. */
type Plant = (secret: string) => {
  readonly set?: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly args?: readonly string[];
};
const set = (key: string, value: unknown) => ({ set: `${key}=${JSON.stringify(value)}` });
const http = (more: object) => set('rewardModel', { id: 'http', ...more });
const sampler = (more: object) =>
  set('sampler', { id: 'openai', model: 'm', baseUrls: ['http://127.0.0.1:9/v1'], ...more });
const judge = (more: object) =>
  set('rewardModel', { id: 'judge', mode: 'pointwise', model: 'm', baseUrls: ['http://127.0.0.1:9/v1'], ...more });

const PLACES: readonly (readonly [place: string, plant: Plant])[] = [
  ['the query of a reward server', (secret) => http({ url: `http://127.0.0.1:9/r?api_key=${secret}` })],
  ['the user of a reward server', (secret) => http({ url: `http://${secret}@127.0.0.1:9/r` })],
  [
    'the password of a reward server',
    (secret) => http({ url: ['http://127.0.0.1:9/r', `http://user:${secret}@127.0.0.1:9/r`] }),
  ],
  ['the fragment of a reward server', (secret) => http({ url: `http://127.0.0.1:9/r#${secret}` })],
  [
    'the name of the variable of a key',
    (secret) => http({ url: 'http://127.0.0.1:9/r', apiKeyVariable: `sk-${secret}` }),
  ],
  [
    'a member of an ensemble',
    (secret) =>
      set('rewardModel', {
        id: 'ensemble',
        members: [{ weight: 1, rewardModel: { id: 'http', url: `http://127.0.0.1:9/?k=${secret}` } }],
      }),
  ],
  ['the query of a sampler', (secret) => sampler({ baseUrls: [`http://127.0.0.1:9/v1?token=${secret}`] })],
  ['the password of a sampler', (secret) => sampler({ baseUrls: [`http://a:${secret}@127.0.0.1:9/v1`] })],
  ['an entry of the body of a sampler', (secret) => sampler({ extraBody: { api_key: secret } })],
  ['an inner entry of the body of a sampler', (secret) => sampler({ extraBody: { a: [{ clientSecret: secret }] } })],
  [
    'the body of a refresh',
    (secret) => sampler({ refresh: 'reload-endpoint', refreshPath: 'r', refreshBody: { token: secret } }),
  ],
  [
    'the command of a refresh',
    (secret) => sampler({ refresh: 'command', refreshCommand: `curl -H 'Authorization: Bearer 1${secret}'` }),
  ],
  ['headers that no part has', (secret) => sampler({ headers: { authorization: secret } })],
  ['the query of a judge', (secret) => judge({ baseUrls: [`http://127.0.0.1:9/v1?${secret}`] })],
  ['the password of a judge', (secret) => judge({ baseUrls: [`http://a:${secret}@127.0.0.1:9/v1`] })],
  ['the body of a judge', (secret) => judge({ extraBody: { access_token: secret } })],
  ['the name of a model', (secret) => set('model', `https://user:${secret}@127.0.0.1:9/model`)],
  ['a file of rows', (secret) => set('data.train', `https://127.0.0.1:9/rows.jsonl?token=${secret}`)],
  ['the output', (secret) => set('output', `s3://key:${secret}@bucket/run`)],
  ['a key that no recipe has', (secret) => set('api_key', secret)],
  ['a flag that is no setting', (secret) => ({ set: `http://user:${secret}@127.0.0.1:9/=1` })],
  ['an address that is none', (secret) => http({ url: `http://u:${secret}@[/r` })],
  [
    'the address of the hub',
    (secret) => ({ ...set('model', 'owner/name'), env: { HF_ENDPOINT: `http://user:${secret}@127.0.0.1:9` } }),
  ],
  [
    'the query of the hub',
    (secret) => ({ ...set('model', 'owner/name'), env: { HF_ENDPOINT: `http://127.0.0.1:9/?key=${secret}` } }),
  ],
  ['a token that is none', (secret) => ({ ...set('model', 'owner/name'), env: { HF_TOKEN: `${secret} ${secret}` } })],
];

describe('a secret in the wrong place is refused, and neither written nor printed', () => {
  it.each(PLACES)('%s', async (_, plant) => {
    const { given, written, env } = workplace();
    await writePreferences(join(given, 'rows.jsonl'), 4, 1);
    const secret = plainSecretOf('planted');
    const { set: override = [], env: more = {} } = plant(secret);
    const recipe = {
      ...recipeOf('http://127.0.0.1:9', join(written, 'run')),
      data: { train: join(given, 'rows.jsonl'), maxLength: 64 },
      evaluateRewards: undefined,
      sampler: { id: 'local', maxNewTokens: 8 },
      rewardModel: { id: 'http', url: 'http://127.0.0.1:9/r' },
    };
    writeFileSync(join(given, 'recipe.yaml'), JSON.stringify(recipe));
    for (const flags of [['--dry-run'], []]) {
      const args = ['run', join(given, 'recipe.yaml'), ...[override].flat().flatMap((one) => ['--set', one]), ...flags];
      const result = await startedMetaapo(args, { ...env, HF_HUB_OFFLINE: '', ...more });
      expect(result.status, result.stdout + result.stderr).toBe(2);
      expect(leaks([secret], written, result)).toEqual([]);
    }
  });
});
