import {
  isMetaapoError,
  MetaapoError,
  type ServerDraws,
  type TrainableModel,
  tokensOf,
  yieldToEvents,
} from '../../contracts/index.js';
import { packByTokens } from '../../numerics/index.js';

/** What {@link checkDistribution} works with. */
export interface DistributionCheckOptions {
  readonly policy: TrainableModel;
  readonly microBatchTokens: number;
  /** Told where nothing can be compared. */
  readonly warning: (text: string) => void;
  readonly signal?: AbortSignal | undefined;
}

/** Fewer responses say nothing of a distribution. */
const FEWEST = 12;
/** A mean that is so many standard errors from 0 is no chance. */
const STANDARD_ERRORS = 6;
/** Smaller shares of the entropy, and fewer nats, are what rounding may do. */
const SMALLEST = { share: 0.1, nats: 0.05 } as const;

/**
 * Compares what servers drew with the policy's distribution. Of a response that was drawn from it, the surprisal less the
 * entropies at its tokens is 0 on average; a setting of the server's own that cuts off, sharpens or flattens moves it.
 * @throws MetaapoError with code `network` for a server that draws from another distribution
 */
export async function checkDistribution(
  where: string,
  servers: readonly ServerDraws[],
  options: DistributionCheckOptions,
): Promise<void> {
  for (const { server, draws } of servers) {
    if (draws.length < FEWEST) continue;
    const measured = await excessOf(draws, options);
    if (measured === undefined) return;
    const { excess, entropy, tokens } = measured;
    const mean = excess.reduce((sum, one) => sum + one, 0) / excess.length;
    const variance = excess.reduce((sum, one) => sum + (one - mean) ** 2, 0) / (excess.length - 1);
    const nats = (mean * excess.length) / tokens;
    const isChance = Math.abs(mean) < STANDARD_ERRORS * Math.sqrt(variance / excess.length);
    if (isChance || Math.abs(nats) < Math.max(SMALLEST.nats, (SMALLEST.share * entropy) / tokens)) continue;
    throw otherDistribution(`${where}, ${server}`, nats, entropy / tokens);
  }
}

interface Excess {
  /** Surprisal less entropies, of each response. */
  readonly excess: readonly number[];
  /** Entropies of all tokens, in nats. */
  readonly entropy: number;
  readonly tokens: number;
}

/** Nothing where the policy gives no entropies. */
async function excessOf(
  draws: ServerDraws['draws'],
  { policy, microBatchTokens, warning, signal }: DistributionCheckOptions,
): Promise<Excess | undefined> {
  const groups = draws.map(({ prompt, tokens }) => ({ prompt, responses: [tokens] }));
  const excess: number[] = [];
  let entropy = 0;
  try {
    for (const [start, end] of packByTokens(groups.map(tokensOf), microBatchTokens)) {
      await yieldToEvents(signal);
      const { sumLogprobs, sumEntropies } = await policy.evaluate(groups.slice(start, end), { entropies: true });
      if (sumEntropies === undefined) return undefined;
      excess.push(...sumEntropies.map((one, index) => -sumLogprobs[index]! - one));
      entropy += sumEntropies.reduce((sum, one) => sum + one, 0);
    }
  } catch (error) {
    if (!isMetaapoError(error) || error.code !== 'config') throw error;
    warning(`whether the servers draw from the policy's distribution is not checked: ${error.message}`);
    return undefined;
  }
  return { excess, entropy, tokens: draws.reduce((sum, { tokens }) => sum + tokens.length, 0) };
}

function otherDistribution(where: string, nats: number, entropy: number): MetaapoError {
  const side = nats < 0 ? 'likelier' : 'less likely';
  return new MetaapoError('network', 'the server does not draw from the policy as it is', {
    where,
    expected: `a surprisal of ${entropy.toPrecision(2)} nats a token, the policy's entropy, at temperature 1 with nothing cut off`,
    got: `responses that are ${Math.abs(nats).toPrecision(2)} nats a token ${side}`,
    remedy:
      'See whether the server applies settings of its own (temperature, top_p, top_k, penalties, as in generation_config.json), ' +
      'or compute without the comparison by probe: false',
  });
}
