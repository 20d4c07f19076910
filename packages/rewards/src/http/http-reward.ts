import type { PartContext, RewardModel, RewardRequest, Tokenizer } from '@metaapo/core/contracts';
import { definePart, parseOptions, REWARD_MODEL } from '@metaapo/core/contracts';
import { createJsonClient, reachServers } from '@metaapo/core/http';
import { z } from 'zod';
import { allOrNone } from '../all-or-none.js';
import { connectionOptions } from '../connection-options.js';
import { fingerprintOf } from '../fingerprint.js';
import { promptText } from '../prompt-text.js';
import { createReadableGuard } from '../readable-guard.js';
import { readRewards } from './reward-reply.js';

const SERVICE = 'reward model http';

const address = z.string().min(1).max(4096);

const schema = z.strictObject({
  url: z
    .union([address, z.array(address).min(1).max(1000).readonly()])
    .describe(
      'Address that is posted to, such as `http://localhost:5000/get_reward`, or a list of them that share the requests by their speed.',
    ),
  batchSize: z.int().min(1).max(100_000).default(16).describe('Most responses in a request, batched by length.'),
  ending: z
    .string()
    .min(1)
    .max(1000)
    .optional()
    .describe('Text put after each response, such as `<|im_end|>` for a classifier that was trained on whole turns.'),
  ...connectionOptions,
});

/** Options of {@link httpReward}. */
export type HttpRewardOptions = z.input<typeof schema>;

/** What the reward model may use of a run. */
export interface HttpRewardContext {
  /** Renders conversations by its chat template; without one their turns are sent as plain text. */
  readonly tokenizer?: Tokenizer | undefined;
  /** Where the API key is read from; default the process' environment. */
  readonly env?: PartContext['env'] | undefined;
}

/**
 * Rewards from a server of OpenRLHF's protocol (`--reward.remote_url`, once `--remote_rm_url`):
 * `{ query, prompts, labels }` is answered by `{ rewards }`. A query is a prompt with its response; a label, which
 * OpenRLHF takes from the data set, is the empty text, as there when the data set has none.
 * @throws MetaapoError with code `config` for an option that is not accepted or an API key that is not set; when it
 * scores, with code `network` when the server does not answer, not with a number or null for each response, or with
 * null alone
 */
export function httpReward(options: HttpRewardOptions, { tokenizer, env }: HttpRewardContext = {}): RewardModel {
  const settings = parseOptions(SERVICE, schema, options);
  const { url, batchSize, ending = '' } = settings;
  const client = createJsonClient({ ...settings, service: SERVICE, baseUrl: url, env });
  const template = tokenizer?.hasChatTemplate ? tokenizer : undefined;
  const guard = createReadableGuard(SERVICE, 'numbers', 'See why the server gives null');
  const rewardsOf = async (batch: readonly RewardRequest[], signal: AbortSignal): Promise<readonly number[]> => {
    const prompts = batch.map((request) => rendered(request, template));
    const query = batch.map(({ response }, at) => `${prompts[at]}${response}${ending}`);
    const reply = await client.post('', { query, prompts, labels: batch.map(() => '') }, signal);
    const rewards = readRewards(reply, batch.length, { where: SERVICE, shown: client.shown });
    for (const reward of rewards) Number.isNaN(reward) ? guard.unread(client.shown(reply)) : guard.read();
    return rewards;
  };
  return {
    id: 'http',
    options: settings,
    fingerprint: fingerprintOf('http', url, ending, template?.fingerprint),
    async score(requests, signal) {
      const order = byLength(requests);
      const batches = Array.from({ length: Math.ceil(order.length / batchSize) }, (_, at) =>
        order.slice(at * batchSize, (at + 1) * batchSize),
      );
      const parts = await allOrNone(signal, (either) =>
        batches.map((batch) =>
          rewardsOf(
            batch.map((index) => requests[index]!),
            either,
          ),
        ),
      );
      const rewards = new Float32Array(requests.length);
      for (const [place, reward] of parts.flat().entries()) rewards[order[place]!] = reward;
      return rewards;
    },
  };
}

/** Indices of the requests by rising length, so that a server pads little; equals stay in order. */
function byLength(requests: readonly RewardRequest[]): number[] {
  const lengths = requests.map(({ prompt, response }) => promptText(prompt).length + response.length);
  return requests.map((_, index) => index).sort((a, b) => lengths[a]! - lengths[b]!);
}

function rendered({ prompt, chat }: RewardRequest, template: Tokenizer | undefined): string {
  if (typeof prompt === 'string') return prompt;
  return template?.renderChat(prompt, { ...chat, addGenerationPrompt: true }) ?? `${promptText(prompt)}\n\nassistant: `;
}

/** {@link httpReward} as a part; the policy's chat template renders conversations. */
export const httpRewardPart = definePart({
  slot: REWARD_MODEL,
  id: 'http',
  summary: "A server of OpenRLHF's reward protocol.",
  options: schema,
  create: (options, { policy, env }) => httpReward(options, { tokenizer: policy?.tokenizer, env }),
  async inspect({ url, apiKeyVariable }, { env, signal }) {
    await reachServers({ service: SERVICE, baseUrl: url, apiKeyVariable, env }, '', signal);
    return {};
  },
});
