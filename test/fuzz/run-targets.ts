import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadTrainerCheckpoint, readRunJournal, referenceLogprobs, saveTrainerCheckpoint } from '@metaapo/core';
import type { TrainableModel } from '@metaapo/core/contracts';
import { openJournal, readMetrics } from '@metaapo/core/storage';
import fc from 'fast-check';
import { requireAgreement } from '../../packages/cli/src/recipe/agreed-code.js';
import { parseYaml } from '../../packages/cli/src/recipe/parse-yaml-value.js';
import { builtInRecipe } from '../../packages/cli/src/recipe/recipe-text.js';
import { checkResumedRecipe } from '../../packages/cli/src/recipe/resumed-recipe.js';
import { startOfDay, withTemplateDate } from '../../packages/cli/src/recipe/template-date.js';
import { readRun } from '../../packages/cli/src/report/read-run.js';
import { reportPage } from '../../packages/cli/src/report/report-page.js';
import { writeLine } from '../../packages/core/src/storage/journal-lines.js';
import { cachedTokenization } from '../../packages/data/src/tokenization/tokenization-cache.js';
import { DIRECTORY, type FuzzTarget, fileOf, jsonText, ROOT, target } from './fuzz-target.js';
import { mutatedBytes, mutatedJson, mutatedJsonText, mutatedText } from './odd-inputs.js';

const key = { recipe: 'a', data: 'b', policy: 'c', computedBy: 'd', inputs: { tokenizer: 'e' } };
const summary = {
  iteration: 0,
  rows: 4,
  selected: 2,
  steps: 1,
  annotations: { done: 2, ofAll: 8 },
  pairs: Object.fromEntries(
    [
      ...['pairs', 'responses', 'truncated', 'empty', 'unreadable', 'unreadableComparisons'],
      ...['tie', 'duplicates', 'too-few', 'not-better'],
    ].map((name) => [name, 0]),
  ),
  rewards: { chosen: 1, rejected: null },
  weightHistogram: [1, 2],
  curve: { scores: [0, 1], before: [0.5, 0.5], after: [0.4, 0.6] },
  samples: [{ row: 1, fate: 'pair', prompt: 'p', online: undefined, score: 0.5 }],
  seconds: { score: 1 },
  tokens: { score: 10 },
};
const ENTRIES = [
  { kind: 'start', key },
  { kind: 'reward-model', fingerprint: 'f' },
  { kind: 'baseline', heldOutReward: 0.5 },
  { kind: 'scores', iteration: 0, scores: [0.5, null] },
  { kind: 'selection', iteration: 0, selected: [1], weights: [0.5] },
  { kind: 'responses', iteration: 0, row: 1, responses: [{ text: 'a', tokens: [1], finishReason: 'stop' }] },
  { kind: 'rewards', key: 'k', rewards: [1, null], unreadableComparisons: 0 },
  { kind: 'step', iteration: 0, step: 1, rows: [1, 2], weights: [0.5, 0.5] },
  { kind: 'iteration', iteration: 0, summary },
] as const;

const linesOfJournal = (entries: readonly unknown[]): string =>
  entries.map((entry, at) => writeLine({ ...(entry as { readonly kind: string }) }, at + 1)).join('');

/** Journals whose lines have lost their checksums, and such whose checksums hold for lines that no run writes. */
const journal = fc.oneof(
  mutatedText(linesOfJournal(ENTRIES), ['\n', '{"kind":"', '"check":"0123456789abcdef"}\n', '\u0000']),
  mutatedJson(ENTRIES).map((value) => linesOfJournal(Array.isArray(value) ? value : [value])),
);

const METRICS = '{"step":1,"loss":0.5}\n{"step":2,"loss":null}\n';
const metrics = fc.oneof(
  mutatedText(METRICS, ['\n', 'null', '1e999', '{', '"__proto__":1,']),
  mutatedJson([{ step: 1, loss: 0.5 }, { step: 2 }]).map((value) =>
    [value]
      .flat()
      .map((line) => `${jsonText(line)}\n`)
      .join(''),
  ),
);

/** A directory with these files. */
function directoryOf(name: string, files: Readonly<Record<string, string>>): string {
  const directory = join(DIRECTORY, name);
  mkdirSync(directory, { recursive: true });
  for (const [file, text] of Object.entries(files)) writeFileSync(join(directory, file), text);
  return directory;
}

const recipe = `${builtInRecipe('metaapo')}
`;
const kept = {
  output: 'o',
  model: { id: 'local', path: 'm' },
  data: { train: 'a', templateDate: '2026-01-31' },
  plugins: ['p'],
};

const progress = {
  step: 1,
  optimizerStep: 1,
  numTokens: 10,
  objective: { numbers: { a: Number.NaN }, arrays: { x: { shape: [2], values: Float32Array.of(1, 2) } } },
};
const written = { format: 3, ...key, step: 1, optimizerStep: 1, numTokens: 10, numbers: { a: 'NaN' }, hasArrays: true };
const plainModel = {
  saveState: (directory: string) => {
    mkdirSync(directory, { recursive: true });
    writeFileSync(join(directory, 'state'), 'a');
    return Promise.resolve();
  },
  loadState: () => Promise.resolve(),
};

/** A checkpoint whose files are as a save leaves them, but for the one. */
async function loadWith(file: string, text: string): Promise<void> {
  const directory = join(DIRECTORY, 'checkpoint');
  await saveTrainerCheckpoint(directory, plainModel, progress, key);
  writeFileSync(join(directory, file), text);
  await loadTrainerCheckpoint(directory, plainModel, key);
}

const ROW = { file: 'f', row: 0, prompt: Int32Array.of(1), chosen: Int32Array.of(2), rejected: Int32Array.of(3) };

/** A model whose log-probabilities are all 0. */
const silent = {
  fingerprint: 'silent',
  computedBy: 'nothing',
  evaluate: () => Promise.resolve({ sumLogprobs: new Float32Array(2) }),
} as unknown as TrainableModel;

/** Reads a reference's log-probabilities from a cache whose one file holds this. */
async function readReference(bytes: Uint8Array): Promise<void> {
  const cacheDirectory = directoryOf('reference', {});
  const options = { model: silent, rows: [ROW], microBatchTokens: 100, cacheDirectory };
  if (readdirSync(cacheDirectory).length === 0) await referenceLogprobs(options);
  for (const name of readdirSync(cacheDirectory)) writeFileSync(join(cacheDirectory, name), bytes);
  await referenceLogprobs(options);
}

/** Tokenised rows from a cache whose one file holds this. */
async function readTokenized(bytes: Uint8Array): Promise<void> {
  const directory = directoryOf('tokenized', {});
  const files = [fileOf('data.jsonl', '{}')];
  const read = () => cachedTokenization(directory, { settings: 1, tokenizer: 't', files }, async () => [ROW]);
  if (readdirSync(directory).length === 0) await read();
  for (const name of readdirSync(directory)) writeFileSync(join(directory, name), bytes);
  await read();
}

/** Files of tensors as the cache has them. */
const tensors = fc.oneof(
  mutatedBytes(readFileSync(join(ROOT, 'fixtures/adapters/plain/adapter_model.safetensors'))),
  mutatedJson({ logprobs: { dtype: 'F32', shape: [2], data_offsets: [0, 8] } }).map((header) => {
    const text = jsonText(header);
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(Buffer.byteLength(text)));
    return Buffer.concat([length, Buffer.from(text), Buffer.alloc(8)]);
  }),
);

/** A file of the cache of token ids, with a checksum that holds. */
const packed = mutatedBytes(Buffer.concat([Buffer.alloc(4), Buffer.from('[{"a":{"$ids":2}}] '), Buffer.alloc(8)])).map(
  (rest) => Buffer.concat([createHash('sha256').update(rest).digest(), rest]),
);

/** What a run keeps and reads again. */
export const RUN_TARGETS: readonly FuzzTarget[] = [
  target('journal', journal, async (text) => {
    const file = fileOf('journal.jsonl', text);
    await readRunJournal(file);
    await (await openJournal(file)).append({ kind: 'b' });
    await openJournal(file);
  }),
  target('metrics', metrics, (text) => readMetrics(fileOf('metrics.jsonl', text))),
  target(
    'report',
    fc.record({
      'metrics.jsonl': metrics,
      'journal.jsonl': journal,
      'recipe.yaml': mutatedText(recipe, ['*a', '&a ', '"']),
    }),
    async (files) => reportPage([await readRun(directoryOf('run', files), 'run')]),
  ),
  target('kept-recipe', fc.oneof(mutatedText(recipe, ['*a', '&a ', '"']), mutatedJsonText(kept)), async (text) => {
    const output = directoryOf('kept', { 'recipe.yaml': text });
    const dated = await withTemplateDate({ output, data: { templateDate: undefined } }, true);
    startOfDay(dated.data.templateDate ?? '').toISOString();
    await checkResumedRecipe(output, { a: 1 }, true, () => undefined);
    requireAgreement(output, parseYaml('recipe.yaml', text), false);
  }),
  target(
    'checkpoint',
    fc.tuple(
      fc.constantFrom('progress.json', 'checksums.json', 'objective-state.safetensors'),
      fc.oneof(mutatedJsonText(written), mutatedJsonText({ 'progress.json': { size: 1, sha256: '0'.repeat(64) } })),
    ),
    ([file, text]) => loadWith(file, text),
  ),
  target('reference-cache', tensors, readReference),
  target('tokenization-cache', packed, readTokenized),
];
