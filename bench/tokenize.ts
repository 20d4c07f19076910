// Turns preferences into token ids by turns: one row after another with the embedded tokenizer, in batches with the native
// one, and from the cache; the data are repeated to the number of rows:
//   pnpm bench tokenize --model DIR --data FILE [--rows 2432] [--turns 3]
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { PreferenceRow } from '@metaapo/core/contracts';
import { cachedTokenization, readPreferences, tokenizePreference, tokenizePreferences } from '@metaapo/data';
import { loadTokenizer } from '@metaapo/models';

const { values: flags } = parseArgs({
  options: {
    model: { type: 'string' },
    data: { type: 'string' },
    rows: { type: 'string', default: '2432' },
    turns: { type: 'string', default: '3' },
  },
});
if (flags.model === undefined || flags.data === undefined) throw new Error('Give --model DIR and --data FILE');
const { data } = flags;
const read: PreferenceRow[] = [];
for await (const row of readPreferences(data)) read.push(row);
const rows = Array.from({ length: Number(flags.rows) }, (_, at) => read[at % read.length]!);
const embedded = await loadTokenizer(flags.model, { engine: 'embedded' });
const native = await loadTokenizer(flags.model, { engine: 'native' });
const directory = await mkdtemp(join(tmpdir(), 'metaapo-bench-'));
const key = { settings: { rows: rows.length }, tokenizer: native.fingerprint, files: [data] };

const ways: Readonly<Record<string, () => Promise<number>>> = {
  'one by one, embedded': async () => rows.map((row) => tokenizePreference(row, embedded)).length,
  'batches, native': async () => (await tokenizePreferences(rows, native)).rows.length,
  'from the cache': async () =>
    (await cachedTokenization(directory, key, () => tokenizePreferences(rows, native))).rows.length,
};
await ways['from the cache']!();
try {
  for (let turn = 1; turn <= Number(flags.turns); turn++) {
    for (const [way, run] of Object.entries(ways)) {
      const start = performance.now();
      const count = await run();
      const seconds = (performance.now() - start) / 1000;
      console.log(`turn ${turn}  ${way}: ${seconds.toFixed(2)} s, ${(count / seconds).toFixed(0)} rows/s`);
    }
  }
} finally {
  await rm(directory, { recursive: true });
}
