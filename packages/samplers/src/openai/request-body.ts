import type { ChatMessage, SamplingRequest } from '@metaapo/core/contracts';
import { MetaapoError } from '@metaapo/core/contracts';
import { withExtraBody } from '@metaapo/core/http';
import type { OpenaiSettings } from './openai-options.js';

/** Asks for the log-probability of each token that was drawn. */
const LOGPROBS: Readonly<Record<OpenaiSettings['endpoint'], object>> = {
  chat: { logprobs: true },
  completions: { logprobs: 1 },
};

/** Entries that leave the distribution as it is, where a server would fill in others: of OpenAI's protocol. */
const NO_PENALTIES = { presence_penalty: 0, frequency_penalty: 0 };
/** The same of vLLM and SGLang, which fill in what the model's `generation_config.json` says. */
const NOTHING_CUT_OFF = { ...NO_PENALTIES, top_k: -1, min_p: 0, repetition_penalty: 1 };
/** The same of llama.cpp, whose defaults are its own, or its command line's. */
const OF_LLAMA_CPP = {
  ...NO_PENALTIES,
  top_k: -1,
  min_p: 0,
  repeat_penalty: 1,
  typical_p: 1,
  top_n_sigma: -1,
  xtc_probability: 0,
  dry_multiplier: 0,
  dynatemp_range: 0,
  mirostat: 0,
};

/** What a request says beside the recipe's settings, so that no server fills in settings of its own. */
const NEUTRAL: Readonly<Record<OpenaiSettings['dialect'] | 'bare', object>> = {
  auto: { ...NOTHING_CUT_OFF, ...OF_LLAMA_CPP },
  vllm: NOTHING_CUT_OFF,
  sglang: NOTHING_CUT_OFF,
  'llama.cpp': OF_LLAMA_CPP,
  tgi: NO_PENALTIES,
  openai: NO_PENALTIES,
  bare: {},
};

/** Dialects that refuse a `top_p` of 1, which is what they do without one. */
const WITHOUT_WHOLE_TOP_P = ['tgi', 'bare'];

/** What a call asks for. */
export interface Wanted {
  readonly count: number;
  readonly seed: number;
  /** Dialect of the server; `bare`: nothing that some server does not know. */
  readonly dialect: OpenaiSettings['dialect'] | 'bare';
  /** Whether log-probabilities are asked for. */
  readonly logprobs?: boolean | undefined;
}

/**
 * Body of a call for `count` responses.
 * @throws MetaapoError with code `data` when `chat` is asked for a prompt that is token ids alone
 */
export function requestBody(
  request: SamplingRequest,
  { count, seed, dialect, logprobs = request.logprobs === true }: Wanted,
  settings: OpenaiSettings,
): Record<string, unknown> {
  const { model, endpoint, maxNewTokens, temperature, topP, topK, minP, stop, extraBody } = settings;
  const prompt =
    endpoint === 'chat'
      ? { messages: messagesOf(request), ...chatFields(request) }
      : { prompt: Array.from(request.prompt) };
  const body = {
    model,
    ...prompt,
    max_tokens: maxNewTokens,
    temperature,
    ...((topP < 1 || !WITHOUT_WHOLE_TOP_P.includes(dialect)) && { top_p: topP }),
    ...NEUTRAL[dialect],
    ...(topK !== undefined && { top_k: topK }),
    ...(minP !== undefined && { min_p: minP }),
    ...(stop !== undefined && { stop }),
    ...(count > 1 && { n: count }),
    seed,
    ...(logprobs && LOGPROBS[endpoint]),
  };
  return withExtraBody(body, extraBody);
}

/** Tools, and the template's arguments under the name that vLLM and SGLang give them. */
function chatFields({ chat }: SamplingRequest): Record<string, unknown> {
  return {
    ...(chat?.tools && { tools: chat.tools }),
    ...(chat?.templateArguments && { chat_template_kwargs: chat.templateArguments }),
  };
}

/** A prompt that is a text becomes the one message of a user. */
function messagesOf({ row, messages, text }: SamplingRequest): readonly ChatMessage[] {
  if (messages !== undefined) return messages;
  if (text !== undefined) return [{ role: 'user', content: text }];
  throw new MetaapoError('data', 'the prompt is token ids alone, which no chat server reads', {
    where: `sampler openai, row ${row}`,
    remedy: 'Set endpoint: completions, which sends token ids',
  });
}
