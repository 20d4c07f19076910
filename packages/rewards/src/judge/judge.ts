import type { PartContext, RewardModel } from '@metaapo/core/contracts';
import { definePart, parseOptions, REWARD_MODEL } from '@metaapo/core/contracts';
import { createJsonClient, reachModelServers, withVariables } from '@metaapo/core/http';
import { fingerprintOf } from '../fingerprint.js';
import { createAskJudge } from './ask-judge.js';
import { type JudgeOptions, judgeSchema, scoreRange } from './judge-options.js';
import { readTemplate } from './judge-template.js';
import { scorePairwise } from './pairwise.js';
import { scorePointwise } from './pointwise.js';
import { patternOf, readScore, readScoreBy, readWinner, readWinnerBy } from './read-verdict.js';

const SERVICE = 'reward model judge';

/**
 * Rewards by a language model that judges, behind an OpenAI-compatible chat server. `pointwise` takes its score as the
 * reward. `pairwise` compares the responses to the same prompt within one call of `score`, each two in both orders, and
 * rewards with the mean share of wins; such a reward says nothing across prompts or calls.
 * @param context where the key is read from and relative paths start; default this process
 * @throws MetaapoError with code `config` for an option that is not accepted, a template that cannot be used, or an API
 * key that is not set; when it scores, with code `network` when no server answers, or none of the first answers can be
 * read
 */
export async function judge(
  options: JudgeOptions,
  { env = process.env, baseDirectory = process.cwd() }: Partial<Pick<PartContext, 'env' | 'baseDirectory'>> = {},
): Promise<RewardModel> {
  const settings = parseOptions(SERVICE, judgeSchema, options);
  const { mode, baseUrls, templatePath, concurrency, timeoutSeconds, retries, apiKeyVariable, ...decisive } = settings;
  const connection = { concurrency, timeoutSeconds, retries, apiKeyVariable };
  const { value: extraBody, secrets } = withVariables(SERVICE, settings.extraBody, env);
  const client = createJsonClient({ ...connection, service: SERVICE, baseUrl: baseUrls, env, secrets });
  const template = await readTemplate(mode, templatePath, baseDirectory);
  const ask = createAskJudge(SERVICE, client, { ...settings, extraBody });
  const range = scoreRange(settings);
  const pattern = patternOf(settings);
  const readPoints = (answer: string): number | undefined =>
    pattern === undefined ? readScore(answer, range) : readScoreBy(pattern, answer, range);
  const readShare = (answer: string): number | undefined =>
    pattern === undefined ? readWinner(answer) : readWinnerBy(pattern, answer);
  return {
    id: 'judge',
    options: settings,
    fingerprint: fingerprintOf('judge', mode, baseUrls, template, decisive),
    isRelative: mode === 'pairwise',
    score: (requests, signal, onUnreadableComparison) =>
      mode === 'pointwise'
        ? scorePointwise(requests, { ask, template, range, read: readPoints }, signal)
        : scorePairwise(requests, { ask, template, read: readShare, onUnreadableComparison }, signal),
  };
}

/** {@link judge} as a part. */
export const judgePart = definePart({
  slot: REWARD_MODEL,
  id: 'judge',
  summary: 'A language model that scores responses or compares them.',
  options: judgeSchema,
  create: judge,
  async inspect(options, context) {
    const { isRelative } = await judge(options, context);
    const { baseUrls, apiKeyVariable, model } = options;
    const { env, report, signal } = context;
    await reachModelServers({ service: SERVICE, baseUrl: baseUrls, apiKeyVariable, env, model }, report, signal);
    return { isRelative };
  },
});
