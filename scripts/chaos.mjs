// Disturbs runs, resumes them to their end, and compares: `pnpm chaos [--kills 200] [--stops 5] [--waits 5]
// [--executors compiled,eager] [--seed 1]`.
// Kills: kill -9 at random moments, up to eight times a run. Stops: a run sleeps (SIGSTOP) until another process, of another
// table of process ids, has taken its directory; woken, it has to end without having written. Waits: a run is killed while
// another process waits for its directory, which then has to take it over.
// However a run was disturbed, it must end with the same weights, byte for byte, journal no response and no reward twice,
// and ask for no reward again that was in the journal: besides the undisturbed run's calls only those that were in flight
// are made, held-out ones included. A disturbance that comes after the run's end does not count. Exit code 1 when one does
// not hold.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { entriesOf, outcomeOf, rewardsIn, stageOf } from './chaos/outcome.mjs';
import { startRun, until } from './chaos/process.mjs';
import { root, setUp } from './setup.mjs';

const { values: flags } = parseArgs({
  options: {
    kills: { type: 'string', default: '200' },
    stops: { type: 'string', default: '5' },
    waits: { type: 'string', default: '5' },
    executors: { type: 'string', default: 'compiled,eager' },
    seed: { type: 'string', default: '1' },
  },
});
const MOST_KILLS_OF_A_RUN = 8;
setUp();

const directory = mkdtempSync(join(tmpdir(), 'metaapo-chaos-'));
const bin = join(root, 'packages/cli/bin/metaapo.js');
const calls = join(directory, 'calls.log');
const env = { ...process.env, METAAPO_HOME: join(directory, 'home'), CHAOS_CALLS: calls };

/** Uniform in [0, 1), of a purpose and a number. */
const uniform = (...key) =>
  createHash('sha256')
    .update([flags.seed, ...key].join('/'))
    .digest()
    .readUInt32LE() /
  2 ** 32;

function argumentsFor(output, executor) {
  const settings = {
    output,
    executor,
    'data.train': join(directory, 'train.jsonl'),
    'data.eval': join(directory, 'test.jsonl'),
    rewardModel: JSON.stringify({ id: 'function', path: join(root, 'scripts', 'chaos-reward.mjs') }),
    evaluateRewards: 1,
    'training.batchSize': 8,
    'training.saveEvery': 2,
  };
  const sets = Object.entries(settings).flatMap(([key, value]) => ['--set', `${key}=${value}`]);
  return [bin, 'run', join(root, 'examples/quickstart/recipe.yaml'), ...sets];
}

const start = (args, options = {}) => startRun(args, { cwd: root, env, ...options });
const callsSoFar = () => (existsSync(calls) ? readFileSync(calls, 'utf8').split('\n').length - 1 : 0);
/** Rewards that were asked for and are not in the journal: where a process died, nobody can know them any more. */
const lostCalls = (output) => callsSoFar() - rewardsIn(entriesOf(output));

/** A directory and a log of calls that no run has used. */
function prepare(executor, name) {
  rmSync(calls, { force: true });
  const output = join(directory, `${executor}-${name}`);
  return { output, args: argumentsFor(output, executor) };
}

/** A run that nothing disturbs, with its calls of the reward function. */
async function undisturbed(executor) {
  const { output, args } = prepare(executor, 'straight');
  const { status, errors, ready, seconds } = await start(args).ended;
  if (status !== 0) throw new Error(`the undisturbed run failed:\n${errors.slice(-2000)}`);
  return { outcome: outcomeOf(output), calls: callsSoFar(), ready, work: seconds - ready };
}

/** What is wrong with a run that has ended after disturbances, and the calls that it made again. */
function compare(output, ended, expected, lost) {
  if (ended.status !== 0) return { faults: [`the resumed run failed:\n${ended.errors.slice(-1500)}`], again: 0 };
  const [got, wanted] = [JSON.stringify(outcomeOf(output)), JSON.stringify(expected.outcome)];
  const again = callsSoFar() - expected.calls;
  const faults = got === wanted ? [] : [`${got} instead of ${wanted}`];
  if (again < 0 || again > lost) faults.push(`${again} calls more than undisturbed, of which ${lost} were in flight`);
  return { faults, again };
}

/** Kills a run up to so many times, each time when it has gone on, and lets it end. */
async function killSeveralTimes(executor, number, expected, most) {
  const { output, args } = prepare(executor, `killed-${number}`);
  const planned = Math.min(most, 1 + Math.floor(uniform('kills', number) * MOST_KILLS_OF_A_RUN));
  const stages = [];
  let [left, lost, ended] = [expected.work, 0, undefined];
  while (ended === undefined) {
    const run = start(stages.length === 0 ? args : [...args, '--resume']);
    const moment = expected.ready * 0.95 + uniform('kill', number, stages.length) * left;
    const isDue = stages.length < planned && (await run.reaches(moment));
    if (isDue) run.signal('SIGKILL');
    const end = await run.ended;
    if (end.signal !== 'SIGKILL') ended = end;
    else {
      stages.push(stageOf(end.errors));
      lost = lostCalls(output);
      left = Math.max(expected.work / 4, left - Math.max(0, moment - expected.ready));
    }
  }
  if (stages.length === 0) return { stages, faults: [], again: 0 };
  return { stages, ...compare(output, ended, expected, lost) };
}

/** A run that sleeps until another process has its directory, and is woken when that one is at work. */
async function stopOnce(executor, number, expected) {
  const { output, args } = prepare(executor, `stopped-${number}`);
  const sleeper = start(args);
  if (!(await sleeper.reaches(expected.ready + uniform('stop', number) * expected.work))) return undefined;
  sleeper.signal('SIGSTOP');
  const stage = stageOf(sleeper.errors());
  const lock = join(output, 'run.lock');
  if (!existsSync(lock)) return endOf(sleeper);
  const [held, lost] = [readFileSync(lock, 'utf8'), lostCalls(output)];
  const taker = start([...args, '--resume'], { isElsewhere: true });
  const isTaken = await until(() => existsSync(lock) && readFileSync(lock, 'utf8') !== held, taker.ended);
  await new Promise((resolve) => setTimeout(resolve, uniform('wake', number) * expected.work * 1000));
  const before = callsSoFar();
  sleeper.signal('SIGCONT');
  const woken = await sleeper.ended;
  const result = compare(output, await taker.ended, expected, lost + callsSoFar() - before);
  const faults = [...result.faults];
  if (!isTaken) faults.push('the directory of a process that sleeps was not taken over');
  if (woken.status === 0 || !/has taken this directory/.test(woken.errors)) {
    faults.push(`the woken process ended with ${woken.status ?? woken.signal}:\n${woken.errors.slice(-500)}`);
  }
  return { stages: [stage], faults, again: result.again };
}

/** A run that is killed while another process waits for its directory. */
async function waitOnce(executor, number, expected) {
  const { output, args } = prepare(executor, `awaited-${number}`);
  const first = start(args);
  if (!(await first.reaches(expected.ready * 0.8 + uniform('wait', number) * expected.work))) return undefined;
  if (!existsSync(join(output, 'run.lock'))) return endOf(first);
  let next = start([...args, '--resume'], { isElsewhere: true });
  if (!(await until(() => /looking whether/.test(next.errors()), first.ended))) return endOf(next);
  const stage = stageOf(first.errors());
  first.signal('SIGKILL');
  await first.ended;
  const lost = lostCalls(output);
  let end = await next.ended;
  // A last beat of its heart was seen: the directory was somebody's, and is free now.
  if (end.status === 2 && /another process works/.test(end.errors)) {
    next = start([...args, '--resume'], { isElsewhere: true });
    end = await next.ended;
  }
  return { stages: [stage], ...compare(output, end, expected, lost) };
}

async function endOf(run) {
  run.signal('SIGCONT');
  run.signal('SIGKILL');
  await run.ended;
  return undefined;
}

const hasNamespaces = spawnSync('unshare', ['-p', '-f', '--mount-proc', 'true']).status === 0;

/** Repeats a disturbance until it has hit so often; tells the stages that were hit. */
async function torment(executor, what, count, expected, disturb) {
  const stages = {};
  let [hits, failed, again] = [0, 0, 0];
  for (let number = 0; hits < count; number++) {
    const result = await disturb(executor, number, expected, count - hits);
    for (const name of readdirSync(directory).filter((one) => one.startsWith(`${executor}-`))) {
      rmSync(join(directory, name), { recursive: true });
    }
    if (result === undefined) continue;
    hits += result.stages.length;
    again += result.again;
    for (const stage of result.stages) stages[stage] = (stages[stage] ?? 0) + 1;
    if (result.faults.length > 0) failed += 1;
    for (const fault of result.faults) {
      process.stdout.write(`${executor}, ${what} ${number} (${result.stages.join(', ')}): ${fault}\n`);
    }
  }
  const where = Object.entries(stages)
    .map(([stage, hit]) => `${stage} ${hit}`)
    .join(', ');
  process.stdout.write(
    `${executor}: ${hits} ${what} (${where}); ${failed} runs did not end as the undisturbed one; calls in flight that were made ` +
      `again: ${again}\n`,
  );
  return failed;
}

async function tormentAll(executor) {
  const expected = await undisturbed(executor);
  const { responses, rewards } = expected.outcome;
  process.stdout.write(
    `${executor}: the undisturbed run computes for ${(expected.ready + expected.work).toFixed(1)} s, samples ${responses} rows ` +
      `and has ${rewards} rewards\n`,
  );
  let failed = await torment(executor, 'kills', Number(flags.kills), expected, killSeveralTimes);
  if (!hasNamespaces) {
    process.stdout.write('no stops and waits: `unshare -p` is not allowed here\n');
    return failed;
  }
  failed += await torment(executor, 'stops', Number(flags.stops), expected, stopOnce);
  return failed + (await torment(executor, 'waits', Number(flags.waits), expected, waitOnce));
}

try {
  const script = join(root, 'scripts', 'chaos-data.ts');
  const made = spawnSync(join(root, 'node_modules', '.bin', 'tsx'), [script, directory], { encoding: 'utf8' });
  if (made.status !== 0) throw new Error(made.stderr);
  for (const [name, rows] of [
    ['train.jsonl', 64],
    ['test.jsonl', 8],
  ]) {
    const file = join(directory, name);
    writeFileSync(file, readFileSync(file, 'utf8').split('\n').slice(0, rows).join('\n'));
  }
  let failures = 0;
  for (const executor of flags.executors.split(',')) failures += await tormentAll(executor);
  process.exitCode = failures === 0 ? 0 : 1;
} finally {
  rmSync(directory, { recursive: true, force: true });
}
