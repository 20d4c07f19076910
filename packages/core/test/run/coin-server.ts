import type { ResponseSampler, SamplingRequest } from '../../src/contracts/index.js';
import { uniformOf } from '../../src/numerics/index.js';
import { coinLogprob, HEADS, readBias, TAILS } from './coin-policy.js';

/** What a server was asked, in order. */
export type ServerEvent =
  | { readonly kind: 'refresh'; readonly directory: string }
  | { readonly kind: 'probe' | 'sample'; readonly bias: number };

/** How a server behaves. */
export interface CoinServerOptions {
  /** The bias it serves at first; default 0. */
  readonly bias?: number;
  /** True: it does not load what it is told to. */
  readonly isStuck?: boolean;
  /** True: it gives no log-probabilities. */
  readonly isSilent?: boolean;
  /** Added to its log-probability of each token. */
  readonly rounding?: number;
}

/** A sampler that throws a coin of its own, as a server does. */
export interface CoinServer {
  readonly sampler: Required<Pick<ResponseSampler, 'refresh' | 'probe'>> & ResponseSampler;
  readonly events: ServerEvent[];
}

const TOKENS = 16;

/** A server of a coin in this process. */
export function coinServer({ bias = 0, isStuck, isSilent, rounding = 0 }: CoinServerOptions = {}): CoinServer {
  let served = bias;
  const events: ServerEvent[] = [];
  const draw = ({ seed }: SamplingRequest, index: number): Int32Array =>
    Int32Array.from({ length: TOKENS }, (_, at) =>
      Math.log(uniformOf(['coin', seed, index, at])) < coinLogprob(served, HEADS) ? HEADS : TAILS,
    );
  const sampler: CoinServer['sampler'] = {
    id: 'coin',
    options: {},
    async *sample(requests, signal) {
      events.push({ kind: 'sample', bias: served });
      for (const request of requests) {
        signal?.throwIfAborted();
        const responses = Array.from({ length: request.count }, (_, index) => draw(request, index));
        yield {
          row: request.row,
          responses: responses.map((tokens) => ({ text: tokens.join(''), tokens, finishReason: 'length' as const })),
        };
      }
    },
    async refresh(directory) {
      events.push({ kind: 'refresh', directory });
      if (!isStuck) served = await readBias(directory);
    },
    async probe(request, signal) {
      signal?.throwIfAborted();
      events.push({ kind: 'probe', bias: served });
      const tokens = draw(request, 0);
      const logprobs = Float32Array.from(tokens, (token) => coinLogprob(served, token) + rounding);
      return [{ server: 'the coin', response: isSilent ? undefined : { tokens, logprobs } }];
    },
  };
  return { sampler, events };
}
