import {
  type ChatMessage,
  type ChatOptions,
  isMetaapoError,
  MetaapoError,
  type RowOrigin,
  type Tokenizer,
} from '@metaapo/core/contracts';
import { rowError } from '../rows/data-row.js';
import type { Answered } from '../rows/parse-answers.js';
import { checkIds } from './check-ids.js';
import { type SplitIds, splitAtBoundary } from './split-at-boundary.js';

/** Texts that stand for a row, and how their ids become its prompt and responses. */
export interface AnswerTexts {
  readonly texts: readonly string[];
  readonly addSpecialTokens: boolean;
  /**
   * The row as ids, checked.
   * @param ids of each of the texts
   * @throws MetaapoError with code `data` naming the row: a doubled BOS, nothing left to learn
   */
  split(ids: readonly Int32Array[]): SplitIds;
}

/** Half a million tokens and more: what takes this long to encode fits into no model. */
const MOST_CHARACTERS = 2 ** 21;

function tooLong(origin: RowOrigin, length: number): MetaapoError {
  return rowError(origin, 'a text is too long to be tokenised', {
    expected: `at most ${MOST_CHARACTERS} characters of a prompt with a response`,
    got: `${length} characters`,
    remedy: 'Leave the row out of the file, or leave such rows out with badRows: drop',
  });
}

/**
 * Texts of a prompt and its answers. Messages are rendered by the chat template and end as it ends them; text gets the
 * tokenizer's special tokens before it and the end-of-sequence token behind it; token ids need no texts.
 * @param tokenizer may be `undefined` for token ids alone
 * @param vocabularySize number of ids that the model knows; default the tokenizer's own number
 * @throws MetaapoError with code `data` naming the row: a template that refuses the conversation or rewrites its history,
 * a text of more than two million characters;
 * with code `config` when the tokenizer cannot do what the row needs
 */
export function answerTexts(
  origin: RowOrigin,
  answered: Answered,
  tokenizer: Tokenizer | undefined,
  vocabularySize: number | undefined = tokenizer?.vocabularySize,
): AnswerTexts {
  const { split, ...texts } = textsOf(origin, answered, tokenizer);
  const longest = texts.texts.reduce((most, { length }) => Math.max(most, length), 0);
  if (longest > MOST_CHARACTERS) throw tooLong(origin, longest);
  return {
    ...texts,
    split: (encoded) => {
      const ids = split(encoded);
      checkIds(origin, ids, tokenizer, vocabularySize);
      return ids;
    },
  };
}

function textsOf(origin: RowOrigin, answered: Answered, tokenizer: Tokenizer | undefined): AnswerTexts {
  if (answered.form === 'tokens') {
    const ids = { prompt: answered.prompt, responses: answered.answers };
    return { texts: [], addSpecialTokens: false, split: () => ids };
  }
  if (tokenizer === undefined) {
    throw new MetaapoError('config', 'a row of text needs a tokenizer', {
      where: origin.file,
      got: 'a model directory without tokenizer.json',
      remedy: 'Add the tokenizer to the model directory, or give the data as token ids',
    });
  }
  return answered.form === 'text' ? plainTexts(answered, tokenizer) : chatTexts(origin, answered, tokenizer);
}

function plainTexts({ prompt, answers }: Extract<Answered, { form: 'text' }>, tokenizer: Tokenizer): AnswerTexts {
  return {
    texts: [prompt, ...answers.map((answer) => prompt + answer)],
    addSpecialTokens: true,
    split: ([before, ...wholes]) =>
      splitAtBoundary(
        withoutAddedEnd(prompt, before!, tokenizer),
        wholes.map((whole) => withEnd(whole, tokenizer)),
      ),
  };
}

/** A prompt goes on: an end that the tokenizer's post-processor puts there, and not the text, is taken off. */
function withoutAddedEnd(prompt: string, ids: Int32Array, tokenizer: Tokenizer): Int32Array {
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

function chatTexts(
  origin: RowOrigin,
  { prompt, answers, chat }: Extract<Answered, { form: 'messages' }>,
  tokenizer: Tokenizer,
): AnswerTexts {
  const before = render(origin, prompt, tokenizer, { ...chat, addGenerationPrompt: true });
  const wholes = answers.map((answer) => render(origin, [...prompt, ...answer], tokenizer, chat));
  const isOpened = !wholes.every((whole) => whole.startsWith(before));
  if (isOpened) {
    const history = sharedText(before, render(origin, prompt, tokenizer, chat)).trimEnd();
    if (!wholes.every((whole) => whole.startsWith(history))) throw rewritten(origin);
  }
  return {
    texts: [before, ...wholes],
    addSpecialTokens: false,
    split: ([ids, ...rest]) => {
      const split = splitAtBoundary(ids!, rest);
      return isOpened ? { ...split, opening: ids!.slice(split.prompt.length) } : split;
    },
  };
}

/** What two texts have in common from the start. */
function sharedText(first: string, second: string): string {
  let length = 0;
  while (length < first.length && first[length] === second[length]) length += 1;
  return first.slice(0, length);
}

function rewritten(origin: RowOrigin): Error {
  return rowError(origin, 'the chat template renders the history in another way once an answer follows', {
    expected: 'a conversation that begins with its rendered prompt',
    remedy: 'Use a chat template that appends the answer to the prompt, or give the row as text or token ids',
  });
}

function render(
  origin: RowOrigin,
  messages: readonly ChatMessage[],
  tokenizer: Tokenizer,
  options: ChatOptions | undefined,
): string {
  if (!tokenizer.hasChatTemplate) {
    throw new MetaapoError('config', 'rows of messages need a chat template, and the tokenizer has none', {
      where: origin.file,
      remedy: 'Add chat_template.jinja to the model directory, or give the data as text',
    });
  }
  try {
    return tokenizer.renderChat(messages, options);
  } catch (cause) {
    if (isMetaapoError(cause) && cause.code !== 'data') throw cause;
    const hasParts = messages.some(({ content }) => Array.isArray(content));
    throw rowError(origin, 'the chat template refuses the conversation', {
      expected: `roles in the order that the template knows${hasParts ? ', and contents as text where it takes no parts' : ''}`,
      got: `${messages.map(({ role }) => role).join(', ')} (${cause instanceof Error ? cause.message : String(cause)})`,
      remedy: 'Correct the row, or leave it out',
      cause,
    });
  }
}
