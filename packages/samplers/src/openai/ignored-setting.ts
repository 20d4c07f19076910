import { MetaapoError } from '@metaapo/core/contracts';

const WHERE = 'sampler openai at';
const OTHERWISE = 'or leave the look out with probe: false, and what it finds in the samples';

/** The error of a server that ignores a setting of a request. */
export function ignored(
  server: string,
  name: string,
  asked: string,
  got = 'another response with another seed, to each prompt',
): MetaapoError {
  return new MetaapoError('network', `the server ignores ${name}`, {
    where: `${WHERE} ${server}`,
    expected:
      name === 'max_tokens'
        ? `responses that ${asked} cuts`
        : `${asked} to give the likeliest response, whatever the seed`,
    got,
    remedy: `Take a server that heeds ${name}, see whether something before it drops or replaces the entry, ${OTHERWISE}`,
  });
}

/** The error of a server that gives one response to a prompt whatever the seed, though the model is not that sure of it. */
export function neverDraws(server: string, prompts: number): MetaapoError {
  return new MetaapoError('network', 'the server does not draw its responses', {
    where: `${WHERE} ${server}`,
    expected: 'another response at temperature 1 with another seed, as its own log-probabilities have it',
    got: `the same response to each of ${prompts} prompts`,
    remedy: `See whether it ignores temperature or seed, takes the likeliest token always (do_sample, top_k 1), or caches replies, ${OTHERWISE}`,
  });
}
