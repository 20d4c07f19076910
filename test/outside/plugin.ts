// A package of somebody else's: a model that needs no engine, what it is trained for, and which responses are scored.
// It imports the contracts alone.
import {
  ANNOTATION_RULE,
  type AnnotationRule,
  CONTRACT,
  definePart,
  definePlugin,
  MODEL,
  type ModelSource,
  OBJECTIVE,
  type Objective,
  type Tokenizer,
} from '@metaapo/core/contracts';
import { z } from 'zod';
import { bigramModel } from '../../packages/testing/test/bigram-model.js';

const LETTERS = 'abcdefgh';

/** Letters as ids from 1 on; 0 ends a response. */
const letters: Tokenizer = {
  fingerprint: 'letters',
  vocabularySize: LETTERS.length + 1,
  bosTokenId: undefined,
  eosTokenId: 0,
  padTokenId: undefined,
  hasChatTemplate: false,
  encode: (text) => Int32Array.from(text, (letter) => LETTERS.indexOf(letter) + 1),
  decode: (ids) => Array.from(ids, (id) => (id === 0 ? '' : LETTERS[id - 1]!)).join(''),
  renderChat: () => {
    throw new Error('letters have no template');
  },
};

function letterModel(seed: number): ModelSource {
  const source = bigramModel({ vocabulary: letters.vocabularySize, seed });
  const withLetters = <Opened extends object>(opened: Opened) => ({ ...opened, tokenizer: letters });
  return {
    ...source,
    id: 'letter-model',
    describe: async () => withLetters(await source.describe()),
    openPolicy: async (use) => withLetters(await source.openPolicy(use)),
    openReference: async (from, use) => withLetters(await source.openReference(from, use)),
  };
}

/** Raises responses above the mean reward of their prompt: L = -mean over responses of (reward - mean reward) log p. */
function raiseBetter(): Objective<'sampled'> {
  return {
    id: 'raise-better',
    options: Object.freeze({}),
    trains: 'policy',
    rowForm: 'sampled',
    readsReference: false,
    groupsOf: ({ prompt, responses }) => [{ prompt, responses: responses.map(({ tokens }) => tokens) }],
    initialState: () => ({ numbers: { batches: 0 }, arrays: {} }),
    open: ({ rows, passes }) => ({
      async accumulate(indices, state) {
        const batch = Array.from(indices, (index) => rows[index]!);
        const count = batch.reduce((sum, { responses }) => sum + responses.length, 0);
        const groups = batch.map(({ prompt, responses }) => ({
          prompt,
          responses: responses.map(({ tokens }) => tokens),
        }));
        const factors = batch.map(({ responses }) => {
          const mean = responses.reduce((sum, { reward }) => sum + reward, 0) / responses.length;
          return Float32Array.from(responses, ({ reward }) => -(reward - mean) / count);
        });
        let loss = 0;
        await passes.forwardBackward(groups, (readings, { start, end }) => {
          const perResponse = factors.slice(start, end);
          for (const [at, { values }] of readings.entries()) {
            loss += values.reduce((sum, value, response) => sum + value * perResponse[at]![response]!, 0);
          }
          return { perResponse };
        });
        return {
          metrics: { loss },
          rows: batch.map(({ row }) => row),
          tokens: groups.reduce((sum, { responses }) => sum + responses.reduce((all, ids) => all + ids.length, 0), 0),
          afterStep: () => ({ state: { ...state, numbers: { batches: state.numbers.batches! + 1 } }, metrics: {} }),
        };
      },
    }),
  };
}

/** Scores the first of a row's responses alone, up to so many. */
function firstFew(most: number): AnnotationRule {
  return {
    id: 'first-few',
    options: Object.freeze({ most }),
    next: ({ responses }) =>
      responses.flatMap(({ reward }, response) => (response < most && reward === undefined ? [{ response }] : [])),
  };
}

export default definePlugin({
  name: 'outside-parts',
  contract: CONTRACT,
  parts: [
    definePart({
      slot: MODEL,
      id: 'letter-model',
      summary: 'A model of eight letters.',
      options: z.strictObject({ seed: z.int().min(0).max(1000).default(1) }),
      create: ({ seed }) => letterModel(seed),
    }),
    definePart({
      slot: OBJECTIVE,
      id: 'raise-better',
      summary: 'Raises responses above the mean reward of their prompt.',
      options: z.strictObject({}),
      create: raiseBetter,
    }),
    definePart({
      slot: ANNOTATION_RULE,
      id: 'first-few',
      summary: 'Scores the first responses alone.',
      options: z.strictObject({ most: z.int().min(2).max(100).default(3) }),
      create: ({ most }) => firstFew(most),
    }),
  ],
});
