import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type {
  ForwardTicket,
  Generation,
  GenerationRequest,
  ModelDescription,
  ModelSource,
  OptimizerStep,
  PassOptions,
  PromptGroup,
  RequestGenerations,
  ResponseLogprobs,
  TextModel,
  TrainableModel,
} from '@metaapo/core/contracts';

/** Options of {@link bigramModel}. */
export interface BigramOptions {
  /** Number of ids; 0 ends a response. */
  readonly vocabulary: number;
  readonly seed: number;
}

/** Everything that a bigram model learns: `[V, V]` logits of the next id after each id, with AdamW's moments. */
interface Weights {
  readonly logits: Float64Array;
  readonly first: Float64Array;
  readonly second: Float64Array;
}

/**
 * The smallest language model there is: p(next | before) = softmax(logits[before])[next]. In float64, on this machine, in
 * plain TypeScript: a model source that needs no engine.
 */
export function bigramModel(given: BigramOptions): ModelSource {
  const options = Object.freeze({ ...given });
  const description: ModelDescription = {
    eosTokenIds: [0],
    vocabularySize: options.vocabulary,
    contextLength: 1024,
    fingerprint: `bigram ${options.vocabulary}`,
  };
  const open = async (weights: Weights): Promise<TextModel> => ({
    ...description,
    model: trainable(weights, options.vocabulary, `bigram ${JSON.stringify(options)}`),
  });
  return {
    id: 'bigram',
    options: { ...options },
    describe: async () => description,
    openPolicy: () => open(startOf(options)),
    openReference: async (from) => open(from === 'start' ? startOf(options) : await readWeights(from)),
  };
}

function startOf({ vocabulary, seed }: BigramOptions): Weights {
  const random = numbersOf(seed);
  const size = vocabulary ** 2;
  return {
    logits: Float64Array.from({ length: size }, () => 2 * random() - 1),
    first: new Float64Array(size),
    second: new Float64Array(size),
  };
}

/** Numbers in [0, 1) out of a seed: a linear congruence, good enough for a toy. */
function numbersOf(seed: number): () => number {
  let state = (seed * 2_654_435_761 + 12_345) % 2 ** 32;
  return () => {
    state = (state * 1_664_525 + 1_013_904_223) % 2 ** 32;
    return state / 2 ** 32;
  };
}

const FILE = 'bigram.json';

async function writeWeights(directory: string, weights: Partial<Weights>): Promise<void> {
  await mkdir(directory, { recursive: true });
  const arrays = Object.entries(weights).map(([name, values]) => [name, [...values]]);
  await writeFile(join(directory, FILE), JSON.stringify(Object.fromEntries(arrays)));
}

async function readWeights(directory: string): Promise<Weights> {
  const stored = JSON.parse(await readFile(join(directory, FILE), 'utf8')) as Record<string, number[]>;
  const logits = Float64Array.from(stored.logits!);
  const array = (name: string): Float64Array => Float64Array.from(stored[name] ?? Array<number>(logits.length).fill(0));
  return { logits, first: array('first'), second: array('second') };
}

/** The ids of the responses with the id before each. */
function stepsOf(
  groups: readonly PromptGroup[],
): { readonly before: number; readonly next: number; readonly response: number }[] {
  let response = -1;
  return groups.flatMap(({ prompt, responses }) =>
    responses.flatMap((ids) => {
      response += 1;
      const own = response;
      return Array.from(ids, (next, at) => ({ before: at === 0 ? prompt.at(-1)! : ids[at - 1]!, next, response: own }));
    }),
  );
}

function trainable(weights: Weights, size: number, fingerprint: string): TrainableModel {
  const gradient = new Float64Array(size * size);
  const open = new Map<number, readonly PromptGroup[]>();
  let tickets = 0;
  const probabilities = (before: number): Float64Array => {
    const row = weights.logits.subarray(before * size, (before + 1) * size);
    const largest = Math.max(...row);
    const powers = row.map((logit) => Math.exp(logit - largest));
    const sum = powers.reduce((total, power) => total + power, 0);
    return powers.map((power) => power / sum);
  };
  const evaluate = async (groups: readonly PromptGroup[], wishes: PassOptions = {}): Promise<ResponseLogprobs> => {
    const tokenCounts = Int32Array.from(groups.flatMap(({ responses }) => responses.map(({ length }) => length)));
    const sums = new Float64Array(tokenCounts.length);
    const entropies = new Float64Array(tokenCounts.length);
    const tokens = stepsOf(groups).map(({ before, next, response }) => {
      const chances = probabilities(before);
      const logprob = Math.log(chances[next]!);
      sums[response]! += logprob;
      entropies[response]! -= chances.reduce((sum, chance) => sum + chance * Math.log(chance), 0);
      return logprob;
    });
    return {
      sumLogprobs: Float32Array.from(sums),
      tokenCounts,
      ...(wishes.entropies === true && { sumEntropies: Float32Array.from(entropies) }),
      ...(wishes.tokenLogprobs === true && { tokenLogprobs: Float32Array.from(tokens) }),
    };
  };
  return {
    fingerprint,
    computedBy: 'float64',
    evaluate,
    async forward(groups, wishes): Promise<ForwardTicket> {
      const id = tickets++;
      open.set(id, groups);
      return { id, ...(await evaluate(groups, wishes)) };
    },
    async backward({ id }, given) {
      for (const [at, { before, next, response }] of stepsOf(open.get(id)!).entries()) {
        const factor = 'perToken' in given ? given.perToken[at]! : given.perResponse[response]!;
        const chances = probabilities(before);
        for (const [other, chance] of chances.entries()) {
          gradient[before * size + other]! += factor * ((other === next ? 1 : 0) - chance);
        }
      }
      open.delete(id);
    },
    async discard({ id }) {
      open.delete(id);
    },
    async zeroGradients() {
      gradient.fill(0);
    },
    async resetMoments() {
      weights.first.fill(0);
      weights.second.fill(0);
    },
    async apply(step) {
      const gradientNorm = Math.sqrt(gradient.reduce((sum, value) => sum + value ** 2, 0));
      if (Number.isFinite(gradientNorm)) update(weights, gradient, step, gradientNorm);
      gradient.fill(0);
      return { gradientNorm };
    },
    async *generate(requests) {
      for (const [request, wanted] of requests.entries()) yield answer(request, wanted, probabilities);
    },
    save: (directory) => writeWeights(directory, { logits: weights.logits }),
    saveState: (directory) => writeWeights(directory, weights),
    async loadState(directory) {
      const stored = await readWeights(directory);
      for (const name of ['logits', 'first', 'second'] as const) weights[name].set(stored[name]);
    },
    dispose: () => undefined,
  };
}

/** AdamW (arXiv 1711.05101) over gradients that are clipped to a length. */
function update(
  { logits, first, second }: Weights,
  gradient: Float64Array,
  { learningRate, step, beta1, beta2, epsilon, weightDecay, maxGradNorm }: OptimizerStep,
  norm: number,
): void {
  const scale = maxGradNorm !== undefined && norm > maxGradNorm ? maxGradNorm / norm : 1;
  for (const [at, raw] of gradient.entries()) {
    const value = raw * scale;
    first[at] = beta1 * first[at]! + (1 - beta1) * value;
    second[at] = beta2 * second[at]! + (1 - beta2) * value ** 2;
    const mean = first[at]! / (1 - beta1 ** step);
    const square = second[at]! / (1 - beta2 ** step);
    logits[at] = logits[at]! * (1 - learningRate * weightDecay) - (learningRate * mean) / (Math.sqrt(square) + epsilon);
  }
}

function answer(
  request: number,
  { prompt, count, maxNewTokens, stopTokenIds, temperature, seed }: GenerationRequest,
  probabilities: (before: number) => Float64Array,
): RequestGenerations {
  const generations = Array.from({ length: count }, (_, sample): Generation => {
    const random = numbersOf(seed * 1000 + sample);
    const tokens: number[] = [];
    const logprobs: number[] = [];
    while (tokens.length < maxNewTokens && !stopTokenIds.includes(tokens.at(-1) ?? -1)) {
      const chances = probabilities(tokens.at(-1) ?? prompt.at(-1)!);
      const next = temperature === 0 ? chances.indexOf(Math.max(...chances)) : drawn(chances, random());
      tokens.push(next);
      logprobs.push(Math.log(chances[next]!));
    }
    const finishReason = stopTokenIds.includes(tokens.at(-1)!) ? 'stop' : 'length';
    return { tokens: Int32Array.from(tokens), logprobs: Float32Array.from(logprobs), finishReason };
  });
  return { request, generations };
}

function drawn(chances: Float64Array, uniform: number): number {
  let left = uniform;
  const found = chances.findIndex((chance) => {
    left -= chance;
    return left < 0;
  });
  return found < 0 ? chances.length - 1 : found;
}
