/** Everything that a tiny model learns: `[V, V]` logits of the next id after each id, in float64, with AdamW's moments. */
export interface TinyState {
  readonly logits: Float64Array;
  readonly first: Float64Array;
  readonly second: Float64Array;
  /** Updates so far: what a service of ours can count. */
  readonly steps: number;
}

/** AdamW's settings of an update. */
export interface TinyAdam {
  readonly learning_rate: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly eps: number;
  readonly weight_decay: number;
  readonly grad_clip_norm: number;
}

/** A sequence with what its tokens carry, as a request names it. */
export interface TinyDatum {
  readonly tokens: readonly number[];
  readonly targets: readonly number[];
  readonly inputs: Readonly<Record<string, readonly number[]>>;
}

/** Numbers in [0, 1) out of a seed: a linear congruence, good enough for a toy. */
export function numbersOf(seed: number): () => number {
  let state = (seed * 2_654_435_761 + 12_345) % 2 ** 32;
  return () => {
    state = (state * 1_664_525 + 1_013_904_223) % 2 ** 32;
    return state / 2 ** 32;
  };
}

/** The start of a model of V ids. */
export function tinyStart(vocabulary: number): TinyState {
  const random = numbersOf(vocabulary);
  const zeros = (): Float64Array => new Float64Array(vocabulary ** 2);
  return { logits: zeros().map(() => 2 * random() - 1), first: zeros(), second: zeros(), steps: 0 };
}

/** p(next | before), all of them. */
export function chancesAfter({ logits }: Pick<TinyState, 'logits'>, before: number): Float64Array {
  const size = Math.sqrt(logits.length);
  const row = logits.subarray(before * size, (before + 1) * size);
  const largest = Math.max(...row);
  const powers = row.map((logit) => Math.exp(logit - largest));
  const sum = powers.reduce((total, power) => total + power, 0);
  return powers.map((power) => power / sum);
}

/** log p of every target. */
export function tinyLogprobs(state: TinyState, { tokens, targets }: TinyDatum): number[] {
  return tokens.map((before, at) => Math.log(chancesAfter(state, before)[targets[at]!]!));
}

/** d loss / d log p of every target, as a service weighs it before it reduces. */
export function tinyWeights(
  state: TinyState,
  datum: TinyDatum,
  loss: string,
  config: Readonly<Record<string, number>>,
): number[] {
  const { weights = datum.targets.map(() => 1), advantages = [], logprobs = [] } = datum.inputs;
  if (loss === 'cross_entropy') return weights.map((weight) => -weight);
  const now = tinyLogprobs(state, datum);
  return weights.map((weight, at) => {
    const ratio = Math.exp(now[at]! - logprobs[at]!);
    const clipped = Math.min(Math.max(ratio, config.clip_low_threshold!), config.clip_high_threshold!);
    return -weight * clipped * advantages[at]!;
  });
}

/** Adds the gradient of a sequence to one of all logits. */
export function addTinyGradient(
  state: TinyState,
  gradient: Float64Array,
  { tokens, targets }: TinyDatum,
  factors: readonly number[],
): void {
  const size = Math.sqrt(gradient.length);
  for (const [at, before] of tokens.entries()) {
    if (factors[at] === 0) continue;
    for (const [other, chance] of chancesAfter(state, before).entries()) {
      gradient[before * size + other]! += factors[at]! * ((other === targets[at] ? 1 : 0) - chance);
    }
  }
}

/** AdamW (arXiv 1711.05101), with clipping where a norm is given. */
export function tinyUpdate(
  state: TinyState,
  gradient: Float64Array,
  adam: TinyAdam,
): { readonly state: TinyState; readonly norm: number } {
  const norm = Math.sqrt(gradient.reduce((sum, value) => sum + value ** 2, 0));
  const scale = adam.grad_clip_norm > 0 && norm > adam.grad_clip_norm ? adam.grad_clip_norm / norm : 1;
  const steps = state.steps + 1;
  const first = state.first.map((mean, at) => adam.beta1 * mean + (1 - adam.beta1) * gradient[at]! * scale);
  const second = state.second.map((mean, at) => adam.beta2 * mean + (1 - adam.beta2) * (gradient[at]! * scale) ** 2);
  const logits = state.logits.map((value, at) => {
    const mean = first[at]! / (1 - adam.beta1 ** steps);
    const square = second[at]! / (1 - adam.beta2 ** steps);
    const kept = value * (1 - adam.learning_rate * adam.weight_decay);
    return kept - (adam.learning_rate * mean) / (Math.sqrt(square) + adam.eps);
  });
  return { state: { logits, first, second, steps }, norm };
}

/** A response to a prompt. */
export interface TinyResponse {
  readonly tokens: number[];
  readonly logprobs: number[];
  readonly stopReason: 'stop' | 'length';
}

/** Draws a response; the same seed draws the same. */
export function tinyResponse(
  state: TinyState,
  last: number,
  {
    seed,
    temperature,
    most,
    stop,
  }: { readonly seed: number; readonly temperature: number; readonly most: number; readonly stop: readonly number[] },
): TinyResponse {
  const random = numbersOf(seed);
  const tokens: number[] = [];
  const logprobs: number[] = [];
  while (tokens.length < most && !stop.includes(tokens.at(-1) ?? -1)) {
    const chances = chancesAfter(state, tokens.at(-1) ?? last);
    const next = temperature === 0 ? chances.indexOf(Math.max(...chances)) : drawn(chances, random());
    tokens.push(next);
    logprobs.push(Math.log(chances[next]!));
  }
  return { tokens, logprobs, stopReason: stop.includes(tokens.at(-1)!) ? 'stop' : 'length' };
}

function drawn(chances: Float64Array, uniform: number): number {
  let left = uniform;
  const found = chances.findIndex((chance) => {
    left -= chance;
    return left < 0;
  });
  return found < 0 ? chances.length - 1 : found;
}
