// Times one whole iteration (score, sample, reward, train), ours and one in Python with transformers and PyTorch, by turns
// on the same rows and the same selected prompts:
//   pnpm bench iteration --model DIR --reward DIR --data FILE [--rows 64] [--samples 8] [--new-tokens 96] [--rounds 2]
//                        [--cached-tokens 32768] [--python python3]
// --cached-tokens: room of our KV cache. The peer samples eight prompts at a time, which it is fastest with.
import { spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { IterationSummary } from '@metaapo/core';

const { values: flags } = parseArgs({
  options: {
    model: { type: 'string' },
    reward: { type: 'string' },
    data: { type: 'string' },
    rows: { type: 'string', default: '64' },
    samples: { type: 'string', default: '8' },
    'new-tokens': { type: 'string', default: '96' },
    rounds: { type: 'string', default: '2' },
    'cached-tokens': { type: 'string', default: '32768' },
    python: { type: 'string', default: 'python3' },
  },
});
if (flags.model === undefined || flags.reward === undefined || flags.data === undefined) {
  throw new Error('Give --model DIR, --reward DIR (a reward model) and --data FILE');
}
const here = fileURLToPath(new URL('.', import.meta.url));
const bin = join(here, '..', 'packages', 'cli', 'bin', 'metaapo.js');
const directory = await mkdtemp(join(tmpdir(), 'metaapo-bench-'));
const MAX_LENGTH = 256;
const BATCH = 16;

const STAGES = ['score', 'sample', 'reward', 'train', 'whole'] as const;

/** Seconds by stage, and of the whole process. */
type Times = Readonly<Record<(typeof STAGES)[number], number>>;

/** The quickest of several rounds, stage by stage: other work on the machine only ever adds time. */
function fastest(rounds: readonly Times[]): Times {
  const secondsOf = (stage: (typeof STAGES)[number]): number => Math.min(...rounds.map((times) => times[stage]));
  return Object.fromEntries(STAGES.map((stage) => [stage, secondsOf(stage)])) as Times;
}

function run(command: string, args: readonly string[], env = process.env): string {
  const result = spawnSync(command, args, { encoding: 'utf8', maxBuffer: 2 ** 28, env });
  if (result.status !== 0) throw new Error(`${command} failed:\n${result.stderr.slice(-3000)}`);
  return result.stdout;
}

async function ours(
  output: string,
): Promise<{ readonly times: Times; readonly selected: readonly number[]; responseTokens: number }> {
  const recipe = {
    model: flags.model,
    loss: { id: 'dpo', beta: 0.1 },
    data: { train: flags.data, maxLength: MAX_LENGTH, longPrompt: 'drop', maxRows: Number(flags.rows) },
    iterations: 1,
    responsesPerPrompt: Number(flags.samples),
    sampler: { id: 'local', maxNewTokens: Number(flags['new-tokens']) },
    cachedTokens: Number(flags['cached-tokens']),
    rewardModel: { id: 'sequence-classification', model: flags.reward },
    training: { batchSize: BATCH, learningRate: 5e-7 },
    output,
  };
  await writeFile(join(directory, 'recipe.json'), JSON.stringify(recipe));
  const started = performance.now();
  // A home of its own: no reference of an earlier run is taken from a cache.
  run(process.execPath, [bin, 'run', join(directory, 'recipe.json')], {
    ...process.env,
    METAAPO_HOME: `${output}-home`,
  });
  const whole = (performance.now() - started) / 1000;
  const entries = (await readFile(join(output, 'journal.jsonl'), 'utf8'))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  const { seconds } = entries.find(({ kind }) => kind === 'iteration').summary as IterationSummary;
  const responses = entries
    .filter(({ kind }) => kind === 'responses')
    .flatMap((entry) => entry.responses as { tokens: number[] }[]);
  return {
    times: {
      // Pairing computes the reference of the new pairs, which the peer counts as scoring too.
      score: seconds.reference! + seconds.score! + seconds.pair!,
      sample: seconds.sample!,
      reward: seconds.reward!,
      train: seconds.train!,
      whole,
    },
    selected: entries.find(({ kind }) => kind === 'selection').selected as number[],
    responseTokens: responses.reduce((sum, { tokens }) => sum + tokens.length, 0),
  };
}

function peer(selected: readonly number[]): { readonly times: Times; readonly responseTokens: number } {
  const request = {
    model: flags.model,
    reward: flags.reward,
    data: flags.data,
    rows: Number(flags.rows),
    samples: Number(flags.samples),
    newTokens: Number(flags['new-tokens']),
    maxLength: MAX_LENGTH,
    batch: BATCH,
    selected,
  };
  const started = performance.now();
  const printed = run(flags.python, [join(here, 'peers', 'torch_iteration.py'), JSON.stringify(request)]);
  const whole = (performance.now() - started) / 1000;
  const { seconds, responseTokens } = JSON.parse(printed.trim().split('\n').at(-1)!);
  return { times: { ...seconds, whole }, responseTokens };
}

try {
  const rounds: { readonly us: Awaited<ReturnType<typeof ours>>; readonly them: ReturnType<typeof peer> }[] = [];
  for (let round = 0; round < Number(flags.rounds); round++) {
    const us = await ours(join(directory, `run-${round}`));
    rounds.push({ us, them: peer(us.selected) });
  }
  const [theirTimes, ourTimes] = [
    fastest(rounds.map(({ them }) => them.times)),
    fastest(rounds.map(({ us }) => us.times)),
  ];
  const line = (cells: readonly string[]): void => void process.stdout.write(`| ${cells.join(' | ')} |\n`);
  line(['stage', 'PyTorch s', 'ours s', 'ratio']);
  line(['---', '---', '---', '---']);
  for (const stage of STAGES) {
    const [a, b] = [theirTimes[stage], ourTimes[stage]];
    line([stage, a.toFixed(1), b.toFixed(1), (a / b).toFixed(2)]);
  }
  const { us, them } = rounds.at(-1)!;
  process.stdout.write(
    `\n${flags.rows} rows, ${us.selected.length} of them sampled ${flags.samples} times: ${us.responseTokens} new tokens ours, ` +
      `${them.responseTokens} theirs (both at temperature 1). whole: the process from start to end, imports and loading\n` +
      'included. Reward calls overlap with sampling in ours. score: log-probabilities of policy and reference, also of the\n' +
      `new pairs. float32 on both sides. Each stage: the faster of ${flags.rounds} rounds, in which the sides take turns.\n`,
  );
} finally {
  await rm(directory, { recursive: true, force: true });
}
