// The same MetaAPO recipe with its model on this machine and on a training service (SkyRL's, on this machine's CPU), from the
// same adapter; prints both beside each other:
//   pnpm bench service [--rows 16] [--responses 4] [--new-tokens 12] [--iterations 2]
// Wants a Python 3.12, see `pnpm test:service`.
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { IterationSummary } from '@metaapo/core';
import { writePreferences } from '../examples/quickstart/write-preferences.js';
import { serviceEnvironment } from '../scripts/service-environment.mjs';
import { type ServedModel, serveRandomModel, USE } from '../test/service/service-model.js';

const { values: flags } = parseArgs({
  options: {
    rows: { type: 'string', default: '16' },
    responses: { type: 'string', default: '4' },
    'new-tokens': { type: 'string', default: '12' },
    iterations: { type: 'string', default: '2' },
  },
});
const root = fileURLToPath(new URL('..', import.meta.url));

/** What a run did: its iterations, its steps, and its seconds from start to end. */
interface Side {
  readonly iterations: readonly IterationSummary[];
  readonly steps: readonly Readonly<Record<string, number>>[];
  readonly seconds: number;
}

/** Runs the command while this process goes on. */
function metaapo(args: readonly string[], home: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const env = { ...process.env, METAAPO_HOME: home, NO_COLOR: '1' };
    const bin = join(root, 'packages', 'cli', 'bin', 'metaapo.js');
    const child = spawn(process.execPath, [bin, ...args], { cwd: root, env, stdio: ['ignore', 'ignore', 'pipe'] });
    let errors = '';
    child.stderr.on('data', (chunk) => {
      errors = `${errors}${chunk}`.slice(-3000);
    });
    child.on('close', (status) =>
      status === 0 ? resolve() : reject(new Error(`metaapo ${args[0]} failed:\n${errors}`)),
    );
  });
}

async function runOf(model: object, directory: string, name: string): Promise<Side> {
  const output = join(directory, name);
  const recipe = {
    model,
    loss: { id: 'dpo', beta: 0.1 },
    metaLearner: { id: 'mlp', updateEvery: 2 },
    data: { train: join(directory, 'train.jsonl'), maxLength: 128 },
    iterations: Number(flags.iterations),
    responsesPerPrompt: Number(flags.responses),
    sampler: { id: 'local', maxNewTokens: Number(flags['new-tokens']) },
    rewardModel: { id: 'function', path: join(root, 'test', 'service', 'letters.mjs') },
    training: { batchSize: 4, learningRate: 1e-3, schedule: 'constant', weightDecay: 0, maxGradNorm: false, seed: 1 },
    output,
  };
  await writeFile(`${output}.json`, JSON.stringify(recipe));
  const begun = performance.now();
  await metaapo(['run', `${output}.json`], `${output}-home`);
  const seconds = (performance.now() - begun) / 1000;
  const entries = await linesOf(join(output, 'journal.jsonl'));
  const iterations = entries
    .filter(({ kind }) => kind === 'iteration')
    .map(({ summary }) => summary as IterationSummary);
  const metrics = await linesOf(join(output, 'metrics.jsonl'));
  return { iterations, steps: metrics.filter((line) => 'loss' in line) as Record<string, number>[], seconds };
}

async function linesOf(file: string): Promise<readonly Readonly<Record<string, unknown>>[]> {
  return (await readFile(file, 'utf8'))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
}

/** The adapter that the service begins with, so that both begin alike. */
async function startAdapter({ remote }: ServedModel, directory: string): Promise<string> {
  const source = remote();
  const { model } = await source.openPolicy(USE);
  const adapter = join(directory, 'start');
  await model.save(adapter);
  model.dispose();
  await source.dispose?.();
  return adapter;
}

const decimals = (value: number | undefined, digits: number): string => value?.toFixed(digits) ?? '-';

/** Lines of the table: a name, and what is read of a side. */
function linesFor(sides: readonly Side[]): readonly (readonly [string, (side: Side) => string])[] {
  const [first] = sides;
  const ofSteps = (key: string, digits: number) => (side: Side) =>
    side.steps.map((step) => decimals(step[key], digits)).join(' ');
  return [
    ...first!.iterations.flatMap((_, index): (readonly [string, (side: Side) => string])[] => {
      const of = (read: (one: IterationSummary) => string) => (side: Side) => read(side.iterations[index]!);
      return [
        [`iteration ${index + 1}: rows sampled`, of(({ selected, rows }) => `${selected} of ${rows}`)],
        ['online pairs', of(({ pairs }) => `${pairs.pairs}`)],
        ['mean reward', of(({ rewards }) => decimals(rewards.all, 3))],
        ['KL, nats a response', of(({ kl }) => decimals(kl?.perResponse, 3))],
        [
          'seconds: score, sample, train',
          of(({ seconds }) => [seconds.score, seconds.sample, seconds.train].map((one) => decimals(one, 1)).join(', ')),
        ],
      ];
    }),
    ['loss, step by step', ofSteps('loss', 4)],
    ['gradient norm', ofSteps('grad_norm', 3)],
    ['seconds in all', ({ seconds }) => seconds.toFixed(1)],
  ];
}

const { python, reason } = serviceEnvironment();
if (python === undefined) throw new Error(`There can be no training service here: ${reason}`);
const directory = await mkdtemp(join(tmpdir(), 'metaapo-bench-'));
const served = await serveRandomModel(directory, python);
try {
  await writePreferences(join(directory, 'train.jsonl'), Number(flags.rows), 1);
  const adapter = await startAdapter(served, directory);
  const remote = { id: 'tinker', url: served.server.url, base: served.base, rank: 8 };
  // The first run has the service compile its programs; what is compared is the second.
  const first = await runOf(remote, directory, 'compiling');
  const sides = [
    await runOf({ id: 'local', path: served.base, adapter }, directory, 'local'),
    await runOf(remote, directory, 'service'),
  ];
  const line = (cells: readonly string[]): void => void process.stdout.write(`| ${cells.join(' | ')} |\n`);
  line(['', 'model: DIR', 'service']);
  line(['---', '---', '---']);
  for (const [name, read] of linesFor(sides)) line([name, ...sides.map(read)]);
  process.stdout.write(`\nThe service compiled its programs in a run before: ${first.seconds.toFixed(1)} s in all.\n`);
} finally {
  await served.server.kill();
  await rm(directory, { recursive: true, force: true });
}
