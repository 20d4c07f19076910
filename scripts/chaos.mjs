// Kills a run (kill -9) at random moments, resumes it to its end, and compares: `pnpm chaos [--kills 100]
// [--executors compiled,eager] [--seed 1]`. A resumed run must give the same weights, byte for byte, and journal no
// response and no reward twice. Exit code 1 when one does not.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { root, setUp } from './setup.mjs';

const { values: flags } = parseArgs({
  options: {
    kills: { type: 'string', default: '100' },
    executors: { type: 'string', default: 'compiled,eager' },
    seed: { type: 'string', default: '1' },
  },
});
const kills = Number(flags.kills);
setUp();

const directory = mkdtempSync(join(tmpdir(), 'metaapo-chaos-'));
const bin = join(root, 'packages/cli/bin/metaapo.js');
const calls = join(directory, 'calls.log');
const env = { ...process.env, METAAPO_HOME: join(directory, 'home'), CHAOS_CALLS: calls };

/** Uniform in [0, 1), the k-th of the seed. */
function uniform(k) {
  return createHash('sha256').update(`${flags.seed}/${k}`).digest().readUInt32LE() / 2 ** 32;
}

function argumentsFor(output, executor) {
  const settings = {
    output,
    executor,
    'data.train': join(directory, 'train.jsonl'),
    'data.eval': join(directory, 'test.jsonl'),
    rewardModel: JSON.stringify({ id: 'function', path: join(root, 'scripts', 'chaos-reward.mjs') }),
    evaluateRewards: 1,
    'training.saveEvery': 2,
  };
  const sets = Object.entries(settings).flatMap(([key, value]) => ['--set', `${key}=${value}`]);
  return [bin, 'run', join(root, 'examples/quickstart/recipe.yaml'), ...sets];
}

/** Runs to the end, or kills after `limit` milliseconds. */
function start(args, limit) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, args, { cwd: root, env, stdio: ['ignore', 'ignore', 'pipe'] });
    let errors = '';
    child.stderr.on('data', (chunk) => {
      errors += chunk;
    });
    const timer = limit === undefined ? undefined : setTimeout(() => child.kill('SIGKILL'), limit);
    child.on('close', (status, signal) => {
      clearTimeout(timer);
      resolve({ status, isKilled: signal === 'SIGKILL', errors });
    });
  });
}

/** What a finished run left: its weights' hash, and its journalled responses and rewards. */
function resultOf(output) {
  const hash = (file) =>
    createHash('sha256')
      .update(readFileSync(join(output, file)))
      .digest('hex')
      .slice(0, 12);
  const entries = readFileSync(join(output, 'journal.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  const of = (kind) => entries.filter((entry) => entry.kind === kind);
  const responses = of('responses').map(({ iteration, row }) => `${iteration}/${row}`);
  const rewards = of('rewards').map(({ key }) => key);
  return {
    weights: hash('model/model.safetensors'),
    metaLearner: hash('meta-learner.safetensors'),
    responses: responses.length,
    rewards: rewards.length,
    repeated: responses.length + rewards.length - new Set(responses).size - new Set(rewards).size,
  };
}

const callsSoFar = () => (existsSync(calls) ? readFileSync(calls, 'utf8').split('\n').length - 1 : 0);
const stageOf = (errors) => [...errors.matchAll(/^(score|sample|reward|evaluate|train)\b/gm)].at(-1)?.[1] ?? 'start';

async function torment(executor) {
  const straight = join(directory, `straight-${executor}`);
  rmSync(calls, { force: true });
  const began = performance.now();
  const first = await start(argumentsFor(straight, executor));
  if (first.status !== 0) throw new Error(`the undisturbed run failed:\n${first.errors.slice(-2000)}`);
  const duration = performance.now() - began;
  const expected = resultOf(straight);
  const undisturbedCalls = callsSoFar();
  const stages = {};
  let [different, again, finishedBefore] = [0, 0, 0];
  for (let kill = 0; kill < kills; kill++) {
    const output = join(directory, `killed-${executor}-${kill}`);
    rmSync(calls, { force: true });
    const args = argumentsFor(output, executor);
    const killed = await start(args, uniform(kill) * duration);
    if (!killed.isKilled) finishedBefore += 1;
    const stage = killed.isKilled ? stageOf(killed.errors) : 'finished';
    stages[stage] = (stages[stage] ?? 0) + 1;
    if (killed.isKilled) {
      const resumed = await start([...args, '--resume']);
      if (resumed.status !== 0) {
        different += 1;
        process.stdout.write(`kill ${kill} (${stage}): the resumed run failed:\n${resumed.errors.slice(-1500)}\n`);
        continue;
      }
    }
    again += callsSoFar() - undisturbedCalls;
    const got = resultOf(output);
    if (JSON.stringify(got) !== JSON.stringify(expected)) {
      different += 1;
      process.stdout.write(`kill ${kill} (${stage}): ${JSON.stringify(got)} instead of ${JSON.stringify(expected)}\n`);
    }
    rmSync(output, { recursive: true, force: true });
  }
  const where = Object.entries(stages)
    .map(([stage, count]) => `${stage} ${count}`)
    .join(', ');
  process.stdout.write(
    `${executor}: ${kills} kills (${where}); ${kills - different} of ${kills} ended with the undisturbed run's weights, ` +
      `${expected.responses} rows sampled and ${expected.rewards} texts scored, none journalled twice; reward calls in flight ` +
      `when killed, made again: ${again} of ${undisturbedCalls * (kills - finishedBefore)}\n`,
  );
  return different;
}

try {
  const script = join(root, 'scripts', 'chaos-data.ts');
  const made = spawnSync(join(root, 'node_modules', '.bin', 'tsx'), [script, directory], { encoding: 'utf8' });
  if (made.status !== 0) throw new Error(made.stderr);
  let failures = 0;
  for (const executor of flags.executors.split(',')) failures += await torment(executor);
  process.exitCode = failures === 0 ? 0 : 1;
} finally {
  rmSync(directory, { recursive: true, force: true });
}
