// Kills a run (kill -9) at random moments, resumes it to its end, and compares: `pnpm chaos [--kills 100]
// [--executors compiled,eager] [--seed 1]`. A resumed run must give the same weights, byte for byte, journal no response
// and no reward twice, and ask for no reward again that was in the journal when it was killed: besides the undisturbed
// run's calls only those that were in flight are made, held-out ones included. A kill that comes after the run's end does
// not count. Exit code 1 when one does not hold.
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

/** The whole lines of a run's journal. */
function entriesOf(output) {
  const file = join(output, 'journal.jsonl');
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, 'utf8').split('\n').slice(0, -1);
  return lines.flatMap((line) => {
    try {
      return [JSON.parse(line)];
    } catch {
      return [];
    }
  });
}

/** Rewards that a journal holds: of responses, and of held-out prompts. */
const rewardsIn = (entries) =>
  entries.reduce((sum, { kind, rewards }) => sum + (kind === 'rewards' ? rewards.length : 0), 0);

/** What a finished run left: its weights' hash, and its journalled responses and rewards. */
function resultOf(output) {
  const hash = (file) =>
    createHash('sha256')
      .update(readFileSync(join(output, file)))
      .digest('hex')
      .slice(0, 12);
  const entries = entriesOf(output);
  const keysOf = (kind) =>
    entries.filter((entry) => entry.kind === kind).map(({ iteration, row, key }) => key ?? `${iteration}/${row}`);
  const [responses, rewards] = [keysOf('responses'), keysOf('rewards')];
  return {
    weights: hash('model/model.safetensors'),
    metaLearner: hash('meta-learner.safetensors'),
    responses: responses.length,
    rewards: rewardsIn(entries),
    repeated: responses.length + rewards.length - new Set(responses).size - new Set(rewards).size,
  };
}

const callsSoFar = () => (existsSync(calls) ? readFileSync(calls, 'utf8').split('\n').length - 1 : 0);
const stageOf = (errors) =>
  [...errors.matchAll(/^(reference|score|sample|reward|kl|pair|train|evaluate)\b/gm)].at(-1)?.[1] ?? 'start';

/** A run that nothing disturbs, with its calls of the reward function. */
async function undisturbed(executor) {
  const output = join(directory, `straight-${executor}`);
  rmSync(calls, { force: true });
  const began = performance.now();
  const { status, errors } = await start(argumentsFor(output, executor));
  if (status !== 0) throw new Error(`the undisturbed run failed:\n${errors.slice(-2000)}`);
  return { duration: performance.now() - began, result: resultOf(output), calls: callsSoFar() };
}

/** Kills a run, resumes it, and tells what was wrong; undefined when the run had ended before. */
async function killOnce(executor, attempt, expected) {
  const output = join(directory, `killed-${executor}-${attempt}`);
  rmSync(calls, { force: true });
  const args = argumentsFor(output, executor);
  const killed = await start(args, uniform(attempt) * expected.duration);
  if (!killed.isKilled && killed.status === 0) {
    rmSync(output, { recursive: true, force: true });
    return undefined;
  }
  const stage = stageOf(killed.errors);
  // Asked for, and not in the journal when the process died: nobody can know these answers any more.
  const inFlight = callsSoFar() - rewardsIn(entriesOf(output));
  const resumed = killed.isKilled ? await start([...args, '--resume']) : killed;
  const faults = [];
  const again = callsSoFar() - expected.calls;
  if (resumed.status !== 0) faults.push(`the resumed run failed:\n${resumed.errors.slice(-1500)}`);
  else {
    const [got, wanted] = [JSON.stringify(resultOf(output)), JSON.stringify(expected.result)];
    if (got !== wanted) faults.push(`${got} instead of ${wanted}`);
    if (again < 0 || again > inFlight) {
      faults.push(`${again} reward calls more than undisturbed, of which ${inFlight} were in flight`);
    }
  }
  rmSync(output, { recursive: true, force: true });
  return { stage, again, faults };
}

async function torment(executor) {
  const expected = await undisturbed(executor);
  const stages = {};
  let [different, again, kill] = [0, 0, 0];
  for (let attempt = 0; kill < kills; attempt++) {
    const killed = await killOnce(executor, attempt, expected);
    if (killed === undefined) continue;
    kill += 1;
    const { stage, faults, again: more } = killed;
    stages[stage] = (stages[stage] ?? 0) + 1;
    again += more;
    if (faults.length > 0) different += 1;
    for (const fault of faults) process.stdout.write(`kill ${kill} (${stage}): ${fault}\n`);
  }
  const where = Object.entries(stages)
    .map(([stage, count]) => `${stage} ${count}`)
    .join(', ');
  const { responses, rewards } = expected.result;
  process.stdout.write(
    `${executor}: ${kills} kills (${where}); ${kills - different} of ${kills} ended as the undisturbed run: its weights, ` +
      `${responses} rows sampled and ${rewards} rewards, none journalled twice, none of the journal asked for again; calls in ` +
      `flight when killed, made again: ${again} of ${expected.calls * kills}\n`,
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
