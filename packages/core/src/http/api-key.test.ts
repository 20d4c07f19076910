import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { faultServer } from '../../test/fault-server.js';
import { client, failureOf } from '../../test/http-client.js';
import { statusOf } from './index.js';

describe('the API key', () => {
  const env = { TEST_KEY: 'sk-secret"+/key' };

  it('is sent, and is in no error even when the server repeats it', async () => {
    const server = await faultServer({
      fault: (_, { headers }) => ({ status: 401, body: JSON.stringify({ wrong: headers.authorization }) }),
    });
    const { post, shown } = client(server.url, {
      apiKeyVariable: 'TEST_KEY',
      env,
      headers: { 'x-team': 'team-secret' },
    });
    const error = await failureOf(post('', {}));
    expect(server.seen[0]!.headers).toMatchObject({
      authorization: 'Bearer sk-secret"+/key',
      'x-team': 'team-secret',
    });
    expect(statusOf(error)).toBe(401);
    expect(error.message).toContain('got status 401: {"wrong":"Bearer ***"}. Set TEST_KEY to a key');
    expect(inspect(error, { depth: 9 })).not.toMatch(/secret/);
    expect(shown({ key: env.TEST_KEY })).toBe('{"key":"***"}');
  });

  it('has to be set and sendable; neither error shows it', () => {
    const make = (value?: string) => () => client('http://a', { apiKeyVariable: 'TEST_KEY', env: { TEST_KEY: value } });
    expect(make()).toThrow('service test: the API key is not set. Expected an API key in the environment variable');
    expect(make('sk-secret\nmore')).toThrow(/^(?!.*secret).*holds characters that no key has/);
  });

  it('is not shown either where the name of its variable belongs', () => {
    expect(() => client('http://a', { apiKeyVariable: 'sk-secret' })).toThrow(/^(?!.*secret).*no name of an env/);
  });

  it('cannot be part of an address', () => {
    expect(() => client('http://user:sk-secret@host/v1')).toThrow(/^(?!.*secret).*got http:\/\/host\/v1/);
    expect(() => client('localhost:8000')).toThrow(/no address of a server/);
  });
});
