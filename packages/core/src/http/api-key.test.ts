import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { faultServer } from '../../test/fault-server.js';
import { client, failureOf } from '../../test/http-client.js';
import { statusOf, withVariables } from './index.js';

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
    expect(() => client('http://host/v1?key=sk-secret')).toThrow(/^(?!.*secret).*a query that may be a key/);
    expect(() => client('http://host/v1#sk-secret')).toThrow(/^(?!.*secret).*a query that may be a key/);
    expect(() => client(`http://host/v1?key=\${NONE}`, { env: {} })).toThrow(
      'the environment variable NONE is not set',
    );
    expect(() => client('localhost:8000')).toThrow(/no address of a server/);
  });

  it('may be in the query of an address and in a body, from the environment, and is shown of neither', async () => {
    const env = { QUERY_KEY: 'query-secret', BODY_KEY: 'body-secret' };
    const server = await faultServer({
      fault: (_, { path, body }) => ({ status: 400, body: `${path} ${JSON.stringify(body)}` }),
    });
    const { value, secrets } = withVariables(
      'test',
      { nested: [{ key: `\${BODY_KEY}` }], text: `a \${BODY_KEY}` },
      env,
    );
    expect(value).toEqual({ nested: [{ key: 'body-secret' }], text: `a \${BODY_KEY}` });
    const error = await failureOf(client(`${server.url}?key=\${QUERY_KEY}`, { env, secrets }).post('x', value));
    expect(server.seen[0]).toMatchObject({ path: '/x?key=query-secret', body: value });
    expect(error.message).toContain('got status 400: /x?key=***');
    expect(inspect(error, { depth: 9 })).not.toMatch(/secret/);
  });
});
