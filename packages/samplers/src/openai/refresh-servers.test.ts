import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, readlink, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { characterPolicy } from '../../test/character-policy.js';
import { type ChatServerOptions, chatServer } from '../../test/chat-server.js';
import { openai } from './openai.js';
import type { OpenaiOptions } from './openai-options.js';

async function surroundings() {
  const baseDirectory = await mkdtemp(join(tmpdir(), 'metaapo-refresh-'));
  onTestFinished(() => rm(baseDirectory, { recursive: true }));
  const lines: string[] = [];
  return { baseDirectory, env: process.env, report: (line: string) => void lines.push(line), lines };
}

async function refreshing(baseUrls: readonly string[], options: Partial<OpenaiOptions>) {
  const around = await surroundings();
  const sampler = openai({ baseUrls, model: 'policy', ...options }, characterPolicy(), around);
  return { ...around, refresh: (signal?: AbortSignal) => sampler.refresh!('/models/3', signal) };
}

/** A server that records what it is posted, and fails so many times to list its models. */
async function modelServer(failures = 0, reload: (directory: unknown) => string = () => 'Success: added.') {
  const posted: { readonly path: string; readonly body: unknown }[] = [];
  let left = failures;
  const other: ChatServerOptions['other'] = (path, body, response) => {
    if (path === '/v1/models') response.writeHead(left-- > 0 ? 503 : 200).end('{"data": []}');
    else {
      posted.push({ path, body });
      response.end(reload(body));
    }
  };
  return { ...(await chatServer({ other })), posted };
}

it('says that the servers follow by themselves, where refresh is none', async () => {
  const { refresh, lines } = await refreshing(['http://localhost:1/v1'], {});
  await refresh();
  expect(lines).toEqual([
    'sampler openai: refresh is none; the servers have to follow the policy by themselves',
    'sampler openai: refresh is none; policy is trusted to be served from /models/3 from now on',
  ]);
});

it('runs a command with the directory, in the base directory, and waits until every server answers', async () => {
  const servers = [await modelServer(2), await modelServer()];
  const options = { refresh: 'command', refreshCommand: 'echo "$METAAPO_MODEL_DIRECTORY" > served' } as const;
  const { refresh, baseDirectory, lines } = await refreshing(
    servers.map(({ url }) => url),
    options,
  );
  await refresh();
  expect(await readFile(join(baseDirectory, 'served'), 'utf8')).toBe('/models/3\n');
  expect(lines).toEqual([]);
});

it('leaves a server running that the command started', async () => {
  const { url } = await modelServer();
  const options = { refresh: 'command', refreshCommand: 'sleep 600 & echo $! > id' } as const;
  const { refresh, baseDirectory } = await refreshing([url], options);
  await refresh();
  expect(process.kill(Number(await readFile(join(baseDirectory, 'id'), 'utf8')))).toBe(true);
});

it('asks for the start model until then, where it has a name of its own', async () => {
  const server = await chatServer({ other: (_, __, response) => response.end('{}') });
  const options = { model: 'adapter', startModel: 'base', refresh: 'command', refreshCommand: 'exit 0' } as const;
  const sampler = openai({ baseUrls: [server.url], retries: 0, ...options }, characterPolicy(), await surroundings());
  const ask = () => sampler.probe!({ row: 1, prompt: Int32Array.of(1), text: 'Hi', count: 1, seed: 1 });
  await expect(ask()).rejects.toThrow(/model base/);
  await sampler.refresh!('/models/3');
  await expect(ask()).rejects.toThrow(/model adapter/);
});

it('refuses a command that fails', async () => {
  const { refresh } = await refreshing(['http://localhost:1/v1'], { refresh: 'command', refreshCommand: 'exit 3' });
  await expect(refresh()).rejects.toThrow(/the refresh command failed. Expected exit code 0; got exit code 3/);
});

it('ends a command with all that it started, when it is aborted or takes too long', async () => {
  const refreshCommand = "(trap 'echo > ended' TERM; sleep 5 & wait) & wait";
  const hang = { refresh: 'command', refreshCommand, refreshTimeoutSeconds: 0.3 } as const;
  const { refresh, baseDirectory } = await refreshing(['http://localhost:1/v1'], hang);
  await expect(refresh()).rejects.toThrow(/do not serve again after the refresh.*within 0.3 s; got none/);
  while (!existsSync(join(baseDirectory, 'ended'))) await new Promise((resolve) => setImmediate(resolve));
  await expect(refresh(AbortSignal.abort('enough'))).rejects.toBe('enough');
});

it('posts the directory to every server, from its root', async () => {
  const servers = [await modelServer(), await modelServer()];
  const options = {
    refresh: 'reload-endpoint',
    refreshPath: '/v1/load_lora_adapter',
    refreshBody: { lora_name: 'policy', lora_path: '{directory}', load_inplace: true, tags: ['at {directory}'] },
  } as const;
  const { refresh } = await refreshing(
    servers.map(({ url }) => url),
    options,
  );
  await refresh();
  const body = { lora_name: 'policy', lora_path: '/models/3', load_inplace: true, tags: ['at /models/3'] };
  for (const { posted } of servers) expect(posted).toEqual([{ path: '/v1/load_lora_adapter', body }]);
});

it('posts the model’s path by default, and believes a server that says it failed', async () => {
  const server = await modelServer(0, () => '{"success": false, "message": "no such file"}');
  const options = { refresh: 'reload-endpoint', refreshPath: '/update_weights_from_disk' } as const;
  const { refresh } = await refreshing([server.url], options);
  await expect(refresh()).rejects.toThrow(/does not take the new policy. Got .*no such file/);
  expect(server.posted).toEqual([{ path: '/update_weights_from_disk', body: { model_path: '/models/3' } }]);
  const told = await modelServer(0, () => '{"error": {"message": "no such file"}}');
  await expect((await refreshing([told.url], options)).refresh()).rejects.toThrow(/does not take the new policy/);
});

it('links a fixed directory to the policy in one step, and has it reloaded where it is told to', async () => {
  const server = await modelServer();
  const options = { refresh: 'directory', refreshDirectory: 'served/policy', refreshPath: '/reset' } as const;
  const { refresh, baseDirectory } = await refreshing([server.url], options);
  const link = join(baseDirectory, 'served', 'policy');
  await refresh();
  expect(await readlink(link)).toBe('/models/3');
  await refresh();
  expect(server.posted).toEqual([1, 2].map(() => ({ path: '/reset', body: { model_path: link } })));
  expect(await readdir(join(baseDirectory, 'served'))).toEqual(['policy']);
  const silent = await modelServer();
  const { refresh: linkAlone } = await refreshing([silent.url], { refresh: 'directory', refreshDirectory: 'policy' });
  await linkAlone();
  expect(silent.posted).toEqual([]);
});

it('does not replace a directory of its own by a link', async () => {
  const { refresh, baseDirectory } = await refreshing(['http://localhost:1/v1'], {
    refresh: 'directory',
    refreshDirectory: 'policy',
  });
  await mkdir(join(baseDirectory, 'policy'));
  await expect(refresh()).rejects.toThrow(/refreshDirectory .*policy: there is something else than a link/);
});

it('is one error when a server does not answer again in time', async () => {
  const { url, root } = await modelServer(1000);
  const options = { refresh: 'command', refreshCommand: 'exit 0', refreshTimeoutSeconds: 0.4 } as const;
  const { refresh } = await refreshing([url], options);
  await expect(refresh()).rejects.toThrow(
    `sampler openai at ${root}/v1/models: the servers do not serve again after the refresh. ` +
      'Expected an answer to models within 0.4 s; got status 503: {"data": []}. See whether the servers loaded /models/3',
  );
});
