// A sampler and a reward model that do what a file says: responses to prompts by the text of their last message, each with
// its reward. A response whose text has no end token was cut.
import { readFileSync } from 'node:fs';
import { CONTRACT, definePart, definePlugin, REWARD_MODEL, SAMPLER } from '@metaapo/core/contracts';
import { z } from 'zod';

const options = z.strictObject({ path: z.string() });
const END = '<|im_end|>';
const rowsOf = (path) => new Map(JSON.parse(readFileSync(path, 'utf8')).rows.map((row) => [row.prompt, row]));
const said = (text) => text.replace(END, '');

function scriptedSampler({ path }, { policy }) {
  const rows = rowsOf(path);
  return {
    id: 'scripted',
    options: Object.freeze({ path }),
    async *sample(requests) {
      for (const { row, messages } of requests) {
        const { responses } = rows.get(messages.at(-1).content);
        yield {
          row,
          responses: responses.map(({ text }) => ({
            text: said(text),
            tokens: policy.tokenizer.encode(text),
            finishReason: text.endsWith(END) ? 'stop' : 'length',
          })),
        };
      }
    },
  };
}

function scriptedReward({ path }) {
  const rows = rowsOf(path);
  const rewardOf = ({ prompt, response }) =>
    rows.get(prompt.at(-1).content).responses.find(({ text }) => said(text) === response).reward;
  return {
    id: 'scripted',
    options: Object.freeze({ path }),
    fingerprint: 'scripted',
    score: async (requests) => Float32Array.from(requests, rewardOf),
  };
}

export default definePlugin({
  name: 'scripted-parts',
  contract: CONTRACT,
  parts: [
    definePart({
      slot: SAMPLER,
      id: 'scripted',
      summary: 'Writes what a file says.',
      options,
      create: scriptedSampler,
    }),
    definePart({ slot: REWARD_MODEL, id: 'scripted', summary: 'As the file says.', options, create: scriptedReward }),
  ],
});
