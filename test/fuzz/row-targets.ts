import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { readDemonstrations, readPreferences, readPrompts, readRows, readUnpaired } from '@metaapo/data';
import fc from 'fast-check';
import { filesOfSplit } from '../../packages/data/src/files/data-splits.js';
import { drain, type FuzzTarget, fileOf, ROOT, target } from './fuzz-target.js';
import { mutatedBytes, mutatedJson, mutatedJsonText, mutatedText } from './odd-inputs.js';

const parquet = (name: string): fc.Arbitrary<Buffer> =>
  mutatedBytes(readFileSync(join(ROOT, 'packages/data/test/fixtures', name)), [
    Buffer.of(0xff, 0xff, 0xff, 0xff, 0x0f),
    Buffer.of(0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01),
    Buffer.of(0x19, 0xfc),
    Buffer.from('PAR1'),
  ]);

const call = { type: 'function', function: { name: 'f', arguments: '{"a": 1}' } };
const tool = { type: 'function', function: { name: 'f', parameters: { type: 'object', properties: {} } } };
const turns = [
  { role: 'system', content: 's' },
  { role: 'user', content: [{ type: 'text', text: 'b' }] },
  { role: 'assistant', content: 'c', tool_calls: [call], reasoning_content: 'r' },
];
const ROWS = [
  { prompt: 'a', chosen: 'b', rejected: 'c', score_chosen: 1, score_rejected: 0.5 },
  { prompt: turns.slice(0, 2), chosen: [turns[2]], rejected: [{ role: 'assistant', content: 'd' }], tools: [tool] },
  { chosen: turns, rejected: [...turns.slice(0, 2), { role: 'assistant', content: 'd' }] },
  { prompt: [1, 2], chosen: [3], rejected: [4], online_chosen: [5], online_rejected: [6] },
  { messages: turns, chat_template_kwargs: { a: true } },
  { prompt: 'a', completion: 'b', label: true },
  { prompt: 'a', response: 'b' },
];
const row = fc.oneof(...ROWS.map((one) => mutatedJsonText(one)));
const lines = fc.oneof(
  row,
  fc.tuple(row, row).map((two) => two.join('\n')),
);

const CSV = 'prompt,chosen,rejected,score_chosen,label\n"a, ""b""",c,"d\\ne",1.5,true\nf,g,h,NaN,false\n';

/** Every reader of rows, each of which may refuse for reasons of its own. */
const READERS = [
  (file: string) => readRows(file),
  (file: string) => readPreferences(file),
  (file: string) => readDemonstrations(file),
  (file: string) => readDemonstrations(file, { column: 'chosen' }),
  (file: string) => readUnpaired(file),
  (file: string) => readPrompts(file),
];

async function readInTurn(file: string, which: number): Promise<void> {
  await drain(READERS[which % READERS.length]!(file));
}

const readers = fc.nat(READERS.length - 1);

/** Two lines, `{"a": 1}` and `{"a": 2}`, packed with zstd. */
const ZSTD = Buffer.from('28b52ffd20129100007b2261223a20317d0a7b2261223a20327d0a', 'hex');

const card = `---
configs:
- config_name: default
  data_files:
  - split: train
    path: data/train-*.parquet
- config_name: b
  data_dir: d
  default: true
---
`;
const PATHS = ['data/train-00000-of-00001.parquet', 'd/test.jsonl', 'README.md', 'a/b/c.json.gz'];

/** What is read of data sets. */
export const ROW_TARGETS: readonly FuzzTarget[] = [
  target('json-lines', fc.tuple(lines, readers), ([text, which]) => readInTurn(fileOf('rows.jsonl', text), which)),
  target(
    'json-file',
    fc.tuple(fc.oneof(mutatedJsonText(ROWS), mutatedJsonText({ data: ROWS }), lines), readers),
    ([text, which]) => readInTurn(fileOf('rows.json', text), which),
  ),
  target(
    'csv',
    fc.tuple(mutatedText(CSV, ['"', ',', '\n', '\r', '\t', '""', '__proto__,', 'constructor', '\u0000']), readers),
    ([text, which]) => readInTurn(fileOf(which % 2 === 0 ? 'rows.csv' : 'rows.tsv', text), which),
  ),
  target(
    'packed-rows',
    fc.oneof(
      mutatedBytes(gzipSync(JSON.stringify(ROWS[0]))).map((bytes) => ['rows.jsonl.gz', bytes] as const),
      mutatedBytes(ZSTD).map((bytes) => ['rows.jsonl.zst', bytes] as const),
    ),
    ([name, bytes]) => drain(readRows(fileOf(name, bytes))),
  ),
  target(
    'parquet',
    fc.tuple(
      fc.oneof(
        ...['messages-snappy', 'messages-gzip', 'messages-zstd', 'tokens'].map((one) => parquet(`${one}.parquet`)),
      ),
      readers,
    ),
    ([bytes, which]) => readInTurn(fileOf('rows.parquet', bytes), which),
  ),
  target(
    'data-card',
    fc.tuple(
      mutatedText(card, ['&a ', '*a', '- ', ': ', '**', '[', '[!', '../', '"', '---\n', '<<: *a\n', '? ']),
      mutatedJson(['default', 'train']),
    ),
    ([text, choice]) => {
      const [config, split] = (Array.isArray(choice) ? choice : []).map((one) =>
        typeof one === 'string' ? one : undefined,
      );
      return filesOfSplit('owner/name', PATHS, { card: text, config, split });
    },
  ),
];
