// A run of the command in a process of its own, that can be stopped and killed at a moment of its work.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';

const TICKS_PER_SECOND = 100;

/** Seconds that a process has computed; where the system does not say, `undefined`. */
function computedSeconds(pid) {
  try {
    const line = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = line.slice(line.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
  } catch {
    return undefined;
  }
}

/**
 * Starts a run. Its moments are counted in seconds of computation, which other programs of the machine do not stretch.
 * @param isElsewhere in a table of process ids of its own, as in another container
 */
export function startRun(args, { cwd, env, isElsewhere = false }) {
  const [command, before] = isElsewhere
    ? ['unshare', ['-p', '-f', '--mount-proc', process.execPath]]
    : [process.execPath, []];
  const child = spawn(command, [...before, ...args], {
    cwd,
    env,
    stdio: ['ignore', 'ignore', 'pipe'],
    detached: isElsewhere,
  });
  const run = { errors: '', ready: undefined, seconds: 0 };
  const began = performance.now();
  const look = () => {
    run.seconds =
      computedSeconds(child.pid) ?? (child.exitCode === null ? (performance.now() - began) / 1000 : run.seconds);
  };
  const clock = setInterval(look, 5);
  child.stderr.on('data', (chunk) => {
    run.errors += chunk;
    if (run.ready === undefined && /^train: /m.test(run.errors)) {
      look();
      run.ready = run.seconds;
    }
  });
  const ended = new Promise((resolve) => {
    child.on('close', (status, signal) => {
      clearInterval(clock);
      resolve({ status, signal, errors: run.errors, ready: run.ready, seconds: run.seconds });
    });
  });
  return {
    ended,
    /** The text of standard error so far. */
    errors: () => run.errors,
    signal: (name) => (isElsewhere ? process.kill(-child.pid, name) : child.kill(name)),
    /** Fulfilled with true when it has computed for so long, with false when it ended before. */
    async reaches(seconds) {
      return until(() => run.seconds >= seconds, ended);
    },
  };
}

/** Waits for a condition, which is looked at often; false when `ended` comes first. */
export async function until(condition, ended) {
  let isOver = false;
  void ended.then(() => {
    isOver = true;
  });
  while (!isOver) {
    if (condition()) return true;
    await new Promise((resolve) => setTimeout(resolve, 3));
  }
  return false;
}
