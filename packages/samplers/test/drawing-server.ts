import { seedOf, uniformOf } from '@metaapo/core/numerics';
import { type ChatBody, chatServer } from './chat-server.js';

const LETTERS = 'abcdefghijkl';

/** Entries that a server heeds, with what holds where a request leaves them out, or where it ignores them. */
const DEFAULTS = {
  temperature: 1,
  top_k: -1,
  top_p: 1,
  min_p: 0,
  repetition_penalty: 1,
  max_tokens: 40,
  seed: 0,
  n: 1,
  stop: [] as readonly string[],
};

/** Settings of a server. */
export type DrawingSettings = typeof DEFAULTS;

/** Log-probabilities of the letters behind a text, under the model itself. */
function logitsAfter(prompt: string, text: string): readonly number[] {
  const scores = Array.from(LETTERS, (_, letter) => {
    const key = [...`${prompt}/${text.slice(-2)}`].map((one) => one.charCodeAt(0));
    return 4 * uniformOf(['letter', letter, ...key]);
  });
  return normalised(scores);
}

function normalised(scores: readonly number[]): readonly number[] {
  const largest = Math.max(...scores);
  const sum = Math.log(scores.reduce((all, one) => all + Math.exp(one - largest), 0));
  return scores.map((one) => one - largest - sum);
}

/** What is left of the letters, as probabilities. */
function filtered(logits: readonly number[], text: string, force: DrawingSettings): readonly number[] {
  const penalised = logits.map((one, letter) =>
    text.includes(LETTERS[letter]!) ? one * force.repetition_penalty : one,
  );
  const sharpened = normalised(penalised.map((one) => one / Math.max(force.temperature, 1e-3)));
  const order = sharpened.map((_, letter) => letter).sort((a, b) => sharpened[b]! - sharpened[a]!);
  const largest = sharpened[order[0]!]!;
  let mass = 0;
  const kept = new Set<number>();
  for (const letter of order) {
    const isLikely = sharpened[letter]! >= largest + Math.log(Math.max(force.min_p, 1e-12));
    if (kept.size === force.top_k || (kept.size > 0 && mass >= force.top_p) || !isLikely) break;
    kept.add(letter);
    mass += Math.exp(sharpened[letter]!);
  }
  return sharpened.map((one, letter) => (kept.has(letter) ? Math.exp(one) / mass : 0));
}

function drawn(prompt: string, index: number, force: DrawingSettings) {
  const entries: { token: string; logprob: number }[] = [];
  let text = '';
  for (let at = 0; at < force.max_tokens; at++) {
    const logits = logitsAfter(prompt, text);
    let left = uniformOf(['draw', force.seed, index, at]);
    const odds = filtered(logits, text, force);
    const letter = Math.max(
      odds.findIndex((one) => {
        left -= one;
        return left < 0;
      }),
      0,
    );
    text += LETTERS[letter]!;
    entries.push({ token: LETTERS[letter]!, logprob: logits[letter]! });
    const stop = force.stop.find((one) => text.endsWith(one));
    if (stop !== undefined) return { text: text.slice(0, -stop.length), entries, finish: 'stop' };
  }
  return { text, entries, finish: 'length' };
}

/** How a drawing server is wrong. */
export interface DrawingFaults {
  /** Entries of requests that it ignores. */
  readonly ignores?: readonly string[];
  /** What holds then, and where a request leaves an entry out. */
  readonly own?: Partial<DrawingSettings>;
  /** True: it gives no log-probabilities. */
  readonly isSilent?: boolean;
}

/** A server that draws letters, as its requests say or not. */
export function drawingServer({ ignores = [], own = {}, isSilent = false }: DrawingFaults = {}) {
  let asked = 0;
  return chatServer({
    choices(body: ChatBody) {
      asked += 1;
      const heeded = Object.entries(body).filter(([name]) => name in DEFAULTS && !ignores.includes(name));
      const stated = { ...DEFAULTS, ...own, ...Object.fromEntries(heeded) };
      // A server that ignores seeds draws anew each time, unless it has one of its own.
      const seed = ignores.includes('seed') && own.seed === undefined ? seedOf(['asked', asked]) : stated.seed;
      const prompt = body.messages!.at(-1)!.content;
      return Array.from({ length: stated.n }, (_, index) => {
        const { text, entries, finish } = drawn(prompt, ignores.includes('n') ? 0 : index, { ...stated, seed });
        const logprobs = isSilent ? undefined : { content: entries };
        return { index, finish_reason: finish, message: { content: text }, logprobs };
      });
    },
  });
}
