import {
  type ChatMessage,
  isMetaapoError,
  MetaapoError,
  type RowOrigin,
  type Tokenizer,
} from '@metaapo/core/contracts';
import { rowError } from '../rows/data-row.js';
import type { Answered } from '../rows/parse-answers.js';
import { checkIds } from './check-ids.js';
import { type SplitIds, splitAtBoundary } from './split-at-boundary.js';

/**
 * Ids of a prompt and its answers. Messages are rendered by the chat template and end as it ends them; text gets the
 * tokenizer's special tokens before it and the end-of-sequence token behind it; token ids are used as they are.
 * @param tokenizer may be `undefined` for token ids alone
 * @param vocabularySize number of ids that the model knows; default the tokenizer's own number
 * @throws MetaapoError with code `data` naming the row: a doubled BOS, a template that refuses the conversation or
 * rewrites its history, nothing left to learn; with code `config` when the tokenizer cannot do what the row needs
 */
export function encodeAnswers(
  origin: RowOrigin,
  answered: Answered,
  tokenizer: Tokenizer | undefined,
  vocabularySize: number | undefined = tokenizer?.vocabularySize,
): SplitIds {
  const ids = idsOf(origin, answered, tokenizer);
  checkIds(origin, ids, tokenizer, vocabularySize);
  return ids;
}

function idsOf(origin: RowOrigin, answered: Answered, tokenizer: Tokenizer | undefined): SplitIds {
  if (answered.form === 'tokens') return { prompt: answered.prompt, responses: answered.answers };
  if (tokenizer === undefined) {
    throw new MetaapoError('config', 'a row of text needs a tokenizer', {
      where: origin.file,
      got: 'a model directory without tokenizer.json',
      remedy: 'Add the tokenizer to the model directory, or give the data as token ids',
    });
  }
  return answered.form === 'text' ? textIds(answered, tokenizer) : chatIds(origin, answered, tokenizer);
}

function textIds({ prompt, answers }: Extract<Answered, { form: 'text' }>, tokenizer: Tokenizer): SplitIds {
  const encode = (text: string): Int32Array => tokenizer.encode(text, { addSpecialTokens: true });
  return splitAtBoundary(
    encodePrompt(prompt, tokenizer),
    answers.map((answer) => withEnd(encode(prompt + answer), tokenizer)),
  );
}

/** A prompt goes on: an end that the tokenizer's post-processor puts there, and not the text, is taken off. */
function encodePrompt(prompt: string, tokenizer: Tokenizer): Int32Array {
  const ids = tokenizer.encode(prompt, { addSpecialTokens: true });
  const isAdded = ids.at(-1) === tokenizer.eosTokenId && tokenizer.encode(prompt).at(-1) !== tokenizer.eosTokenId;
  return isAdded && ids.length > 1 ? ids.slice(0, -1) : ids;
}

function withEnd(ids: Int32Array, { eosTokenId, fingerprint }: Tokenizer): Int32Array {
  if (eosTokenId === undefined) {
    throw new MetaapoError('config', 'the tokenizer names no end-of-sequence token', {
      where: `tokenizer ${fingerprint}`,
      expected: 'eos_token in tokenizer_config.json: a response as plain text ends with it',
      remedy: 'Add eos_token to tokenizer_config.json, or give the data as messages or token ids',
    });
  }
  if (ids.at(-1) === eosTokenId) return ids;
  const ended = new Int32Array(ids.length + 1);
  ended.set(ids);
  ended[ids.length] = eosTokenId;
  return ended;
}

function chatIds(
  origin: RowOrigin,
  { prompt, answers }: Extract<Answered, { form: 'messages' }>,
  tokenizer: Tokenizer,
): SplitIds {
  const before = render(origin, prompt, tokenizer, true);
  const wholes = answers.map((answer) => render(origin, [...prompt, ...answer], tokenizer, false));
  if (wholes.every((whole) => whole.startsWith(before.trimEnd()))) {
    return splitAtBoundary(
      tokenizer.encode(before),
      wholes.map((whole) => tokenizer.encode(whole)),
    );
  }
  throw rowError(origin, 'the chat template renders the history in another way once an answer follows', {
    expected: 'a conversation that begins with its rendered prompt',
    remedy: 'Use a chat template that appends the answer to the prompt, or give the row as text or token ids',
  });
}

function render(
  origin: RowOrigin,
  messages: readonly ChatMessage[],
  tokenizer: Tokenizer,
  addGenerationPrompt: boolean,
): string {
  if (!tokenizer.hasChatTemplate) {
    throw new MetaapoError('config', 'rows of messages need a chat template, and the tokenizer has none', {
      where: origin.file,
      remedy: 'Add chat_template.jinja to the model directory, or give the data as text',
    });
  }
  try {
    return tokenizer.renderChat(messages, { addGenerationPrompt });
  } catch (cause) {
    if (isMetaapoError(cause) && cause.code !== 'data') throw cause;
    throw rowError(origin, 'the chat template refuses the conversation', {
      expected: 'roles in the order that the template knows',
      got: `${messages.map(({ role }) => role).join(', ')} (${cause instanceof Error ? cause.message : String(cause)})`,
      remedy: 'Correct the row, or leave it out',
      cause,
    });
  }
}
