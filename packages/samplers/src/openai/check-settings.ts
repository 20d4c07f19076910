import type { MetaapoError, SamplingRequest, ServerDraws } from '@metaapo/core/contracts';
import { seedOf } from '@metaapo/core/numerics';
import { ask, type CallContext } from './ask.js';
import { ignored, neverDraws } from './ignored-setting.js';
import type { OpenaiSettings } from './openai-options.js';
import type { Choice } from './read-choices.js';
import { idsOf, logprobEntries, valuesOf } from './read-logprobs.js';
import { type ResponseReader, readLogprobs } from './read-response.js';
import { isWrongRequest } from './unusable.js';

/** Most tokens of a response that is compared with the policy, and of one that is told from another alone. */
const [DRAWN_TOKENS, LOOK_TOKENS] = [16, 8];
/** Prompts of a look that tells responses apart. */
const PROMPTS = 2;
/** Responses to a prompt that are drawn by one request. */
const DRAWS = 4;
/** A coincidence that is less likely is none. */
const IMPOSSIBLE = 1e-3;
/** A text as short as this says nothing of what follows from repetitions. */
const LONG_ENOUGH = 8;

/** One look at a server: settings and entries in the place of the recipe's. */
interface Look extends Partial<Pick<OpenaiSettings, 'temperature' | 'topP' | 'topK' | 'minP' | 'stop'>> {
  readonly seed: 'first' | 'second';
  readonly count?: number;
  /** Prompts that are asked, and tokens of their responses. */
  readonly prompts?: number;
  readonly tokens?: number;
  readonly entries?: Readonly<Record<string, unknown>>;
}

/** What a server answers to each of some requests; nothing where it refuses what a look asks for. */
type Answers = readonly (readonly Choice[] | undefined)[];

const AS_IT_IS = { temperature: 1, topP: 1, topK: undefined, minP: undefined, stop: undefined, stream: false } as const;
const DRAWN: Look = { seed: 'first', tokens: DRAWN_TOKENS };
const LIKELIEST: Look = { seed: 'first', temperature: 0 };

/** Entries that change the likeliest response, by the dialect that knows them. */
const PENALTIES: Readonly<Record<OpenaiSettings['dialect'], Readonly<Record<string, number>>>> = {
  auto: { repetition_penalty: 2, repeat_penalty: 2 },
  vllm: { repetition_penalty: 2 },
  sglang: { repetition_penalty: 2 },
  'llama.cpp': { repeat_penalty: 2 },
  tgi: { frequency_penalty: 2, presence_penalty: 2 },
  openai: { frequency_penalty: 2, presence_penalty: 2 },
};

/**
 * Looks whether one server does what requests say, by short responses: that another seed draws another response, the
 * same seed the same, `n` different ones; that temperature 0, the likeliest token alone and the least share of
 * probability all give the likeliest response; that a penalty changes it, a stop text ends it, and `max_tokens` cuts it.
 * What the recipe decides and the server ignores is an error where it gives log-probabilities; of the rest a line is reported.
 * @param context with a client that reaches this server alone and gives JSON
 * @returns what it drew from the model as it is, where it gives the ids
 * @throws MetaapoError with code `network` for a setting that is ignored, or when the server does not answer
 */
export async function checkSettings(
  server: string,
  requests: readonly SamplingRequest[],
  context: CallContext,
  signal: AbortSignal | undefined,
): Promise<ServerDraws> {
  const { settings, foreign } = context;
  // Where a server gives no log-probabilities nothing of it is compared with the policy, and it may be a stand-in.
  let isCompared = false;
  let isCut = true;
  const refuse = (error: MetaapoError): void => {
    if (isCompared) throw error;
    foreign.say(error.message);
  };
  const look = async ({ seed, count = 1, entries, prompts = PROMPTS, tokens = LOOK_TOKENS, ...changes }: Look) => {
    const maxNewTokens = Math.min(tokens, settings.maxNewTokens);
    const extraBody = { ...entries, ...settings.extraBody };
    const own = { ...context, settings: { ...settings, ...AS_IT_IS, maxNewTokens, ...changes, extraBody } };
    const answers = await lookedAt(requests.slice(0, prompts), { seed, count }, own, signal);
    isCompared ||= chanceOf(answers) !== undefined;
    const most = longestOf(answers, context.readerOf(requests[0]!));
    if (isCut && most > maxNewTokens) {
      isCut = false;
      refuse(ignored(server, 'max_tokens', `max_tokens ${maxNewTokens}`, `${most} tokens or more`));
    }
    return answers;
  };
  const drawn = await look(DRAWN);
  const other = await look({ ...DRAWN, seed: 'second' });
  const many = settings.useN ? await look({ ...DRAWN, count: DRAWS, prompts: requests.length }) : [];
  const draws = [drawn, other, many].flatMap((answers) => drawsOf(answers, requests, context));
  if (shareOf(drawn, other) === 0) {
    const chance = chanceOf(drawn);
    if (chance === undefined) foreign.ignore('sampling');
    else if (chance < IMPOSSIBLE) refuse(neverDraws(server, drawn.length));
    // A model that is so sure of its responses shows nothing of how they are drawn.
    return { server, draws };
  }
  if (areAlike(many)) context.takesN.refuse('gives the same response n times');
  const say = (name: string): void => foreign.ignore(name);
  if (shareOf(drawn, await look(DRAWN)) === 1) say('seed');
  const likeliest = await look(LIKELIEST);
  const differs = async (changes: Omit<Look, 'seed'>): Promise<boolean> =>
    shareOf(likeliest, await look({ ...changes, seed: 'second' })) === 1;
  if (await differs({ temperature: 0 })) {
    refuse(ignored(server, 'temperature', 'temperature 0'));
    // Nothing narrows its draws, or something else does: the rest cannot be told apart.
    return { server, draws };
  }
  for (const { name, entry, isWanted, ...changes } of narrowings(settings, foreign.areLeftOut)) {
    if (Object.hasOwn(settings.extraBody ?? {}, name) || !(await differs(changes))) continue;
    if (isWanted) refuse(ignored(server, name, entry));
    else say(name);
  }
  const penalties = foreign.areLeftOut ? {} : PENALTIES[settings.dialect];
  const [penalty] = Object.keys(penalties);
  const isLong = textsOf(likeliest).join('').length >= LONG_ENOUGH;
  if (penalty !== undefined && isLong) {
    if (shareOf(likeliest, await look({ ...LIKELIEST, entries: penalties })) === 0) say(penalty);
  }
  if (settings.stop !== undefined && (await runsOn(likeliest, look))) say('stop');
  return { server, draws };
}

/** Settings that leave nothing but the likeliest token, by the entry of a request that holds them. */
function narrowings({ topK, topP, minP, dialect }: OpenaiSettings, areLeftOut: boolean) {
  const isKnown = !areLeftOut && dialect !== 'tgi' && dialect !== 'openai';
  return [
    { name: 'top_k', entry: 'top_k 1', topK: 1, isWanted: topK !== undefined, isKnown },
    { name: 'top_p', entry: 'top_p 0.001', topP: 0.001, isWanted: topP < 1, isKnown: true },
    { name: 'min_p', entry: 'min_p 1', minP: 1, isWanted: minP !== undefined, isKnown },
  ].flatMap(({ isKnown: known, ...one }) => (known || one.isWanted ? [one] : []));
}

/** The answers to a look at each request; the first alone, since it tells what the server refuses. */
async function lookedAt(
  requests: readonly SamplingRequest[],
  { seed, count }: Required<Pick<Look, 'seed' | 'count'>>,
  context: CallContext,
  signal: AbortSignal | undefined,
): Promise<Answers> {
  const call = async (request: SamplingRequest, logprobs: boolean): Promise<readonly Choice[] | undefined> => {
    const wanted = { count, seed: seedOf(['settings', request.seed, seed === 'first' ? 0 : 1]), logprobs };
    try {
      return await ask(request, wanted, (choices) => choices, context, signal);
    } catch (error) {
      if (!isWrongRequest(error)) throw error;
      return logprobs ? call(request, false) : undefined;
    }
  };
  const [first, ...rest] = requests;
  const answers = [await call(first!, true)];
  if (answers[0] === undefined) return answers;
  return [...answers, ...(await Promise.all(rest.map((request) => call(request, true))))];
}

/** The first texts of answers; those that a server refused or took apart are left out. */
const textsOf = (answers: Answers): readonly string[] => answers.flatMap((choices) => choices?.[0]?.text ?? []);

/** The share of requests whose first texts are different; nothing where none can be compared. */
function shareOf(a: Answers, b: Answers): number | undefined {
  const both = a.flatMap((choices, index) => {
    const texts = [choices?.[0]?.text, b[index]?.[0]?.text];
    return texts.includes(undefined) ? [] : [texts];
  });
  return both.length === 0 ? undefined : both.filter(([one, another]) => one !== another).length / both.length;
}

/** True where all responses of every request are the same. */
function areAlike(many: Answers): boolean {
  const several = many.flatMap((choices) => (choices !== undefined && choices.length > 1 ? [choices] : []));
  return several.length > 0 && several.every((choices) => choices.every(({ text }) => text === choices[0]!.text));
}

/** The probability that all first responses are drawn once more; nothing where a server tells none. */
function chanceOf(answers: Answers): number | undefined {
  let sum = 0;
  for (const choices of answers) {
    const logprobs = valuesOf(logprobEntries(choices?.[0]?.logprobs));
    if (logprobs === undefined) return undefined;
    sum += logprobs.reduce((all, one) => all + one, 0);
  }
  return Math.exp(sum);
}

/** Tokens of the longest response, at least. */
function longestOf(answers: Answers, { tokenizer }: ResponseReader): number {
  const counts = answers
    .flatMap((choices) => choices ?? [])
    .map(({ tokenIds, logprobs, text }) => {
      const said = Math.max(tokenIds.length, logprobEntries(logprobs).length);
      // A text may be split into more tokens than it was drawn as, and an end may come on top.
      return said > 0 ? said - 1 : Math.floor(tokenizer.encode(text ?? '').length / 2);
    });
  return Math.max(0, ...counts);
}

/** Responses whose ids are all known. */
function drawsOf(
  answers: Answers,
  requests: readonly SamplingRequest[],
  { readerOf }: CallContext,
): ServerDraws['draws'] {
  return answers.flatMap((choices, index) => {
    const request = requests[index]!;
    const reader = { ...readerOf(request), stop: undefined };
    return (choices ?? []).flatMap((choice) => {
      const tokens = wholeIds(choice, reader);
      return tokens === undefined ? [] : [{ prompt: request.prompt, tokens }];
    });
  });
}

/** The ids of a response up to its limit, or with its end: one that lacks its end is no sample of what was drawn. */
function wholeIds(choice: Choice, reader: ResponseReader): Int32Array | undefined {
  const { tokenizer, eosTokenIds } = reader;
  const tokens = readLogprobs(choice, reader)?.tokens ?? idsOf(logprobEntries(choice.logprobs), tokenizer);
  const isCut = choice.finishReason === 'length';
  return tokens !== undefined && tokens.length > 0 && (isCut || eosTokenIds.includes(tokens.at(-1)!))
    ? tokens
    : undefined;
}

/** True where a piece of the likeliest text, given as a stop text, does not end it. */
async function runsOn(likeliest: Answers, look: (one: Look) => Promise<Answers>): Promise<boolean> {
  const [text] = textsOf(likeliest);
  if (text === undefined || text.length < LONG_ENOUGH) return false;
  const piece = text.slice(text.length >> 2, (text.length >> 2) + 2);
  const [stopped] = textsOf(await look({ ...LIKELIEST, stop: [piece] }));
  return stopped !== undefined && stopped.length > text.indexOf(piece) + piece.length;
}
