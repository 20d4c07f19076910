import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type {
  LogprobGradient,
  PassOptions,
  PromptGroup,
  ResponseLogprobs,
  TrainableModel,
} from '../../src/contracts/index.js';

/** Heads and tails, the two tokens of a coin. */
export const HEADS = 1;
export const TAILS = 0;

const FILE = 'coin.json';

/** Log p(token) of a coin that falls on heads with probability sigmoid(bias). */
export function coinLogprob(bias: number, token: number): number {
  return -Math.log1p(Math.exp(token === HEADS ? -bias : bias));
}

/** The bias that a model directory holds. */
export async function readBias(directory: string): Promise<number> {
  return JSON.parse(await readFile(join(directory, FILE), 'utf8')) as number;
}

async function write(file: string, bias: number): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, JSON.stringify(bias));
}

/** A language model of one parameter: each token is a throw of a coin, whatever came before. */
export interface CoinPolicy extends TrainableModel {
  bias: number;
}

/** A coin that can be trained by plain gradient descent. */
export function coinPolicy(bias = 0): CoinPolicy {
  let gradient = 0;
  let open: readonly Int32Array[] = [];
  const sums = (groups: readonly PromptGroup[], { entropies, tokenLogprobs }: PassOptions = {}): ResponseLogprobs => {
    const responses = groups.flatMap((group) => group.responses);
    const logprobsOf = (tokens: Int32Array): number[] => Array.from(tokens, (one) => coinLogprob(policy.bias, one));
    const sumOf = (tokens: Int32Array): number => logprobsOf(tokens).reduce((sum, one) => sum + one, 0);
    const entropy = [HEADS, TAILS].reduce((sum, side) => {
      const logprob = coinLogprob(policy.bias, side);
      return sum - Math.exp(logprob) * logprob;
    }, 0);
    return {
      ...(entropies === true && { sumEntropies: Float32Array.from(responses, ({ length }) => length * entropy) }),
      ...(tokenLogprobs === true && { tokenLogprobs: Float32Array.from(responses.flatMap(logprobsOf)) }),
      sumLogprobs: Float32Array.from(responses, sumOf),
      tokenCounts: Int32Array.from(responses, ({ length }) => length),
    };
  };
  const slope = (token: number): number => token - 1 / (1 + Math.exp(-policy.bias));
  const perToken = (given: LogprobGradient): readonly number[] =>
    'perToken' in given
      ? [...given.perToken]
      : open.flatMap((tokens, index) => Array.from(tokens, () => given.perResponse[index]!));
  const policy: CoinPolicy = {
    bias,
    fingerprint: `coin ${bias}`,
    computedBy: 'this test',
    async forward(groups, pass) {
      open = groups.flatMap((group) => group.responses);
      return { id: 1, ...sums(groups, pass) };
    },
    async backward(_, given) {
      const slopes = open.flatMap((tokens) => Array.from(tokens, slope));
      gradient += perToken(given).reduce((sum, one, at) => sum + one * slopes[at]!, 0);
    },
    discard: async () => undefined,
    async apply({ learningRate }) {
      const gradientNorm = Math.abs(gradient);
      if (Number.isFinite(gradientNorm)) policy.bias -= learningRate * gradient;
      gradient = 0;
      return { gradientNorm };
    },
    async zeroGradients() {
      gradient = 0;
    },
    evaluate: async (groups, pass) => sums(groups, pass),
    save: (directory) => write(join(directory, FILE), policy.bias),
    saveState: (directory) => write(join(directory, FILE), policy.bias),
    async loadState(directory) {
      policy.bias = await readBias(directory);
    },
    dispose: () => undefined,
  };
  return policy;
}
