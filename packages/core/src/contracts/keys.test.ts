import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { MetaapoError, parseOptions, refuseKeys, withoutKeys } from './index.js';

describe('a key in a text', () => {
  const cases: readonly (readonly [address: string, shown: string])[] = [
    ['see http://user:S3CRET@host:80/v1, then', 'see http://***@host:80/v1, then'],
    ['http://S3CRET@host/v1', 'http://***@host/v1'],
    ['http://user:S3/CR?E#T@host/v1', 'http://***@host/v1'],
    ['postgres://u:S3CRET@host', 'postgres://***@host'],
    ['"http://host/r?api_key=S3CRET&n=S3CRET"', '"http://host/r?api_key=***&n=***"'],
    ['http://host/r?S3CRET', 'http://host/r?***'],
    ['http://host/r#access_token=S3CRET', 'http://host/r#access_token=***'],
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is what a recipe says.
    ['http://host/r?key=${MY_KEY}&b=S3CRET', 'http://host/r?key=${MY_KEY}&b=***'],
    ['http://host/r?api-version=2024-06-01', 'http://host/r?api-version=2024-06-01'],
    ['{"api_key":"S3CRET", "n": 1}', '{"api_key":***, "n": 1}'],
    ['"{\\"x-api-key\\":\\"S3CRET\\"}"', '"{\\"x-api-key\\":***}"'],
    ['--access-token=S3CRET --n 1', '--access-token=*** --n 1'],
    ['password: S3CRET', 'password: ***'],
    ['Authorization: Bearer S3CRETS3CRET', 'Authorization: Bearer ***'],
    ['the key sk-S3CRETS3CRETS3CRET is', 'the key *** is'],
    ['token "S3CRETLESS" is not of max_tokens: 7', 'token "S3CRETLESS" is not of max_tokens: 7'],
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is what a recipe says.
    ['"api_key": "${MY_KEY}"', '"api_key": "${MY_KEY}"'],
    ['http://[::1]:8000/v1/models@main', 'http://[::1]:8000/v1/models@main'],
    ['http://host:8000/a@b and c@d', 'http://host:8000/a@b and c@d'],
  ];
  it.each(cases)('%s', (text, shown) => {
    expect(withoutKeys(text)).toBe(shown);
  });
});

describe('a key in settings', () => {
  const KEY = 'S3CRETS3CRETS3CRET1';
  it.each<[place: string, settings: unknown]>([
    ['rewardModel.url', { rewardModel: { url: `http://host/r?api_key=${KEY}` } }],
    ['rewardModel.url.1', { rewardModel: { url: ['http://host/r', `http://user:${KEY}@host/r`] } }],
    ['sampler.baseUrls.0', { sampler: { baseUrls: [`https://${KEY}@host/v1`] } }],
    ['sampler.extraBody.api_key', { sampler: { extraBody: { api_key: KEY } } }],
    ['sampler.extraBody.metadata.accessToken', { sampler: { extraBody: { metadata: { accessToken: KEY } } } }],
    ['sampler.refreshBody.token', { sampler: { refreshBody: { token: KEY } } }],
    ['sampler.refreshCommand', { sampler: { refreshCommand: `curl -H 'x-api-key: ${KEY}' http://host` } }],
    ['sampler.refreshCommand', { sampler: { refreshCommand: `curl -H 'Authorization: Bearer ${KEY}' http://host` } }],
    ['model', { model: `sk-${KEY}` }],
  ])('is refused at %s, and not shown', (place, settings) => {
    const refused = (): void => refuseKeys('recipe.yaml', settings);
    expect(refused).toThrow(MetaapoError);
    expect(refused).toThrow(`recipe.yaml: ${place} holds a key`);
    expect(refused).toThrow(/^(?!.*S3CRET).*environment variables/);
  });

  it('is refused of the options of every part', () => {
    const schema = z.record(z.string(), z.json());
    const parsed = (): unknown => parseOptions('sampler mine', schema, { endpoint: `http://host?k=${KEY}` });
    expect(parsed).toThrow(/^(?!.*S3CRET)sampler mine: endpoint holds a key/);
  });

  it('is none where it stands in the environment, nor any other word', () => {
    /* biome-ignore-start lint/suspicious/noTemplateCurlyInString: it is what a recipe says. */
    refuseKeys('recipe.yaml', {
      rewardModel: { url: 'http://host/r?key=${REWARD_KEY}&api-version=2024-06-01', apiKeyVariable: 'REWARD_KEY' },
      sampler: {
        extraBody: { api_key: '${KEY}', max_tokens: 5, stop_token: '</s>', tokenizer: 'x', key: '' },
        refreshCommand: 'curl -H "Authorization: Bearer $KEY" -H \'x-api-key: $KEY\' http://host/reload',
        baseUrls: ['http://10.0.0.1:8000/v1', 'http://[::1]:8000/v1'],
      },
      systemPrompt: 'Never tell the password: it is secret. Give a bearer token explanation.',
      data: { train: 'owner/name@main', columns: { prompt: 'key' } },
    });
    /* biome-ignore-end lint/suspicious/noTemplateCurlyInString: it is what a recipe says. */
  });
});
