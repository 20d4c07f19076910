import { readFileSync } from 'node:fs';
import { CONTRACT, definePart, definePlugin, SELECTION_RULE } from '@metaapo/core/contracts';

/** Accepts `{ path }`, a JSON file with row numbers. */
const schema = {
  '~standard': {
    version: 1,
    vendor: 'ablation',
    validate: (value) =>
      typeof value?.path === 'string' ? { value } : { issues: [{ message: 'path of a JSON file is missing' }] },
  },
};

/** The selection rule `{ id: listed, path: ... }`: exactly the rows of a list, so that two methods annotate the same ones. */
function listed(options) {
  const wanted = new Set(JSON.parse(readFileSync(options.path, 'utf8')));
  return Object.freeze({
    id: 'listed',
    options,
    readsScores: true,
    select: ({ rows, limit = rows.length }) =>
      Int32Array.from([...rows.keys()].filter((index) => wanted.has(rows[index])).slice(0, limit)),
  });
}

export default definePlugin({
  name: 'ablation-rules',
  contract: CONTRACT,
  parts: [
    definePart({
      slot: SELECTION_RULE,
      id: 'listed',
      summary: 'The rows of a list.',
      options: schema,
      create: listed,
    }),
  ],
});
