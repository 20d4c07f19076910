import type { TextModel, Tokenizer } from '@metaapo/core/contracts';

/** Ends a text, and a turn of a conversation. */
export const END_OF_TEXT = 0;
export const END_OF_TURN = 1;

/** A tokenizer of ASCII text: a character is its code; turns end with a token of their own. */
export const characters: Tokenizer = {
  fingerprint: 'characters',
  vocabularySize: 128,
  bosTokenId: undefined,
  eosTokenId: END_OF_TEXT,
  padTokenId: undefined,
  hasChatTemplate: true,
  encode: (text) => Int32Array.from(text, (character) => character.charCodeAt(0)),
  decode: (ids) => String.fromCharCode(...Array.from(ids)),
  renderChat: (messages) => messages.map(({ role, content }) => `${role}: ${content}\u0001\n`).join(''),
};

/** A policy that has a tokenizer and computes nothing. */
export function characterPolicy(tokenizer: Tokenizer | undefined = characters): TextModel {
  return {
    model: {} as TextModel['model'],
    tokenizer,
    eosTokenIds: [END_OF_TEXT, END_OF_TURN],
    vocabularySize: tokenizer.vocabularySize,
    contextLength: 4096,
    fingerprint: 'character policy',
  };
}
