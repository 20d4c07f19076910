// What a dry run says a command will take, beside what it then takes: time from its begin to its end, most memory, and what it
// leaves on the disk:
//   pnpm bench estimates [--model DIR --data FILE] [--rows 256] [--only NAME,...]
// Without a model and a file of preferences, the quickstart's alone; each command in processes of its own, cold.
import { spawnSync } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { writePreferences } from '../examples/quickstart/write-preferences.js';

const { values: flags } = parseArgs({
  options: {
    model: { type: 'string' },
    data: { type: 'string' },
    rows: { type: 'string', default: '256' },
    only: { type: 'string' },
  },
});

const root = fileURLToPath(new URL('..', import.meta.url));
const bin = join(root, 'packages/cli/bin/metaapo.js');
const quickstart = join(root, 'examples/quickstart');
const training = { batchSize: 16, learningRate: 1e-5, seed: 1 };

/** A reward that differs between any two texts, nearly: real pairs have no function that knows their worth. */
const LETTERS = `export default (requests) =>
  requests.map(({ response }) => [...response].filter((letter) => 'aeiou'.includes(letter)).length / 100);
`;

interface Case {
  readonly name: string;
  readonly command: 'run' | 'train';
  readonly recipe: Readonly<Record<string, unknown>>;
}

function casesOf(directory: string): readonly Case[] {
  const small = {
    model: join(root, 'fixtures/quickstart/model'),
    data: { train: join(directory, 'train.jsonl'), eval: join(directory, 'test.jsonl'), maxLength: 64 },
    training,
  };
  const loop = {
    responsesPerPrompt: 4,
    rewardModel: { id: 'function', path: join(quickstart, 'reward.mjs') } as const,
    metaLearner: { id: 'mlp', updateEvery: 4 },
  };
  const quick: Case = {
    name: 'quickstart, MetaAPO',
    command: 'run',
    recipe: {
      ...{ ...small, ...loop, loss: { id: 'dpo' }, iterations: 2, evaluateRewards: 100, cachedTokens: 4096 },
      sampler: { id: 'local', maxNewTokens: 16 },
    },
  };
  const { model, data, rows } = flags;
  if (model === undefined || data === undefined) return [quick];
  const real = {
    model: { id: 'local', path: resolve(model) },
    data: { train: resolve(data), maxRows: Number(rows), maxLength: 256, longPrompt: 'drop' },
    training: { ...training, microBatchTokens: 4096 },
  };
  return [
    quick,
    { name: 'real pairs, DPO', command: 'train', recipe: { ...real, loss: { id: 'dpo' } } },
    {
      name: 'real pairs, MetaAPO on SimPO in bfloat16',
      command: 'run',
      recipe: {
        ...{ ...real, ...loop, loss: { id: 'simpo' }, iterations: 2, cachedTokens: 8192 },
        rewardModel: { id: 'function', path: join(directory, 'letters.mjs') },
        model: { id: 'local', path: resolve(model), precision: 'bfloat16' },
        sampler: { id: 'local', maxNewTokens: 64 },
      },
    },
  ];
}

/** Runs the command, which prints its own peak memory. */
function run(args: readonly string[]): { readonly output: string; readonly seconds: number } {
  const started = performance.now();
  const { stdout, stderr, status } = spawnSync(process.execPath, [bin, ...args], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`metaapo ${args.join(' ')}: ${stderr}`);
  return { output: stdout, seconds: (performance.now() - started) / 1000 };
}

/** A number that a line of the output holds, in words that have no other. */
function numberIn(output: string, pattern: RegExp): number {
  const found = pattern.exec(output);
  if (found === null) throw new Error(`Nothing like ${pattern} in:\n${output}`);
  return Number(found[1]);
}

const UNITS = { s: 1, min: 60, h: 3600, d: 86_400 };

function secondsIn(output: string): number {
  const [, text] = /^Time, estimated from a rehearsal \([^)]*\): ([^(]*) \(/m.exec(output) ?? [];
  if (text === undefined) throw new Error(`No estimate of the time in:\n${output}`);
  return [...text.matchAll(/([\d.]+) (s|min|h|d)\b/g)].reduce(
    (sum, [, count, unit]) => sum + Number(count) * UNITS[unit as keyof typeof UNITS],
    0,
  );
}

function bytesUnder(directory: string): number {
  return readdirSync(directory, { withFileTypes: true }).reduce((sum, entry) => {
    const path = join(directory, entry.name);
    return sum + (entry.isDirectory() ? bytesUnder(path) : statSync(path).size);
  }, 0);
}

const print = (cells: readonly string[]): void => void process.stdout.write(`| ${cells.join(' | ')} |\n`);

async function runCase({ name, command, recipe }: Case, directory: string): Promise<void> {
  const output = join(directory, 'output');
  const file = join(directory, 'recipe.yaml');
  await writeFile(file, JSON.stringify({ ...recipe, output }));
  const planned = run([command, file, '--dry-run']);
  const done = run([command, file]);
  const pairs: readonly (readonly [what: string, unit: string, estimated: number, measured: number])[] = [
    ['time', 's', secondsIn(planned.output), done.seconds],
    [
      'memory',
      'GiB',
      numberIn(planned.output, /^Memory, estimated: ([\d.]+) GiB/m),
      numberIn(done.output, /^Peak memory ([\d.]+) GiB/m),
    ],
    ['disk', 'MiB', numberIn(planned.output, /^Disk, estimated: ([\d.]+) MiB in all/m), bytesUnder(output) / 2 ** 20],
  ];
  for (const [what, unit, estimated, measured] of pairs) {
    print([
      name,
      what,
      `${estimated.toFixed(2)} ${unit}`,
      `${measured.toFixed(2)} ${unit}`,
      (estimated / measured).toFixed(2),
    ]);
  }
  print([name, 'dry run', '', `${planned.seconds.toFixed(1)} s`, '']);
  await rm(output, { recursive: true });
}

const directory = await mkdtemp(join(tmpdir(), 'metaapo-bench-'));
try {
  await writePreferences(join(directory, 'train.jsonl'), 600, 1);
  await writePreferences(join(directory, 'test.jsonl'), 100, 2);
  await writeFile(join(directory, 'letters.mjs'), LETTERS);
  const wanted = flags.only?.split(',');
  print(['recipe', 'what', 'estimated', 'measured', 'ratio']);
  print(Array.from({ length: 5 }, () => '---'));
  for (const one of casesOf(directory)) {
    if (wanted === undefined || wanted.some((word) => one.name.includes(word))) await runCase(one, directory);
  }
} finally {
  await rm(directory, { recursive: true, force: true });
}
