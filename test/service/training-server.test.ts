import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { temporaryDirectory } from '../support/metaapo.js';
import { writeRandomQwen3 } from './random-qwen3.js';
import { servicePython, startTrainingServer } from './training-server.js';

const directory = temporaryDirectory();

it.skipIf(servicePython === undefined)('forgets no session when it is killed and started again', async () => {
  const model = join(directory, 'model');
  await writeRandomQwen3(model);
  const server = await startTrainingServer({ model, directory, python: servicePython! });
  onTestFinished(() => server.kill());
  const post = async (path: string, body: object): Promise<Record<string, unknown>> => {
    const headers = { 'content-type': 'application/json' };
    const reply = await fetch(`${server.url}/api/v1/${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
    return (await reply.json()) as Record<string, unknown>;
  };
  const { session_id: session } = await post('create_session', { tags: [], user_metadata: {}, sdk_version: '0' });
  expect(session).toMatch(/^\S+$/);
  await server.kill();
  await expect(post('session_heartbeat', { session_id: session })).rejects.toThrow();
  await server.start();
  expect(await post('session_heartbeat', { session_id: session })).toMatchObject({ type: 'session_heartbeat' });
  expect(await post('session_heartbeat', { session_id: 'another' })).not.toMatchObject({ type: 'session_heartbeat' });
});
