// Tries parsers with inputs that are nearly right:
//   pnpm fuzz [target] [--minutes N] [--inputs N] [--seed S] [--from N] [--jobs N] [--list]
// Each one may refuse with an error in words and in no other way, within 2 seconds of computing and 1 GiB. Minutes and
// inputs are for each target; default 0.5 minutes. So many targets run at a time as there are cores. A fault prints
// the seed and the number of its input, which `--seed S --from N --inputs 1` tries again, and the smallest input that
// shows it. METAAPO_FUZZ_PYTHON names a Python with the package safetensors, which then has to accept what is accepted
// here. Exit code 1 when there is a fault.
import { spawn } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { root } from './setup.mjs';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    minutes: { type: 'string' },
    inputs: { type: 'string' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
    from: { type: 'string', default: '0' },
    jobs: { type: 'string', default: String(availableParallelism()) },
    list: { type: 'boolean', default: false },
  },
});
const seconds =
  values.minutes === undefined && values.inputs !== undefined ? undefined : Number(values.minutes ?? 0.5) * 60;
/** Files of inputs live in memory where that is to be had: some of them are synced. */
const TMPDIR = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();

/** Runs the program that tries one target; hears its lines. */
function tryTarget(args, hear) {
  const program = ['--import', 'tsx', join('test', 'fuzz', 'try-target.ts'), ...args];
  const child = spawn(process.execPath, program, {
    cwd: root,
    env: { ...process.env, TMPDIR },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let complaints = '';
  child.stderr.on('data', (chunk) => {
    complaints = `${complaints}${chunk}`.slice(-2000);
  });
  createInterface({ input: child.stdout }).on('line', (line) => hear(JSON.parse(line)));
  return new Promise((resolve) => {
    child.on('close', (code, signal) => resolve({ pid: child.pid, code, signal, complaints }));
  });
}

/** The input that a process was at when it ended. */
function lastIndex(pid) {
  const file = join(TMPDIR, `metaapo-fuzz-${pid}.index`);
  const index = existsSync(file) ? Number(readFileSync(file, 'utf8')) : undefined;
  rmSync(file, { force: true });
  return index;
}

let [tried, faults] = [0, 0];

function sayFault(target, { index, fault, input }) {
  faults += 1;
  const again = `pnpm fuzz ${target} --seed ${values.seed} --from ${index} --inputs 1`;
  console.log(`\nFAULT in ${target}: ${fault}\nagain: ${again}\ninput: ${(input ?? 'see --from').slice(0, 3000)}\n`);
}

function saySummary({ target, tried: count, accepted, refused, seconds: took, slowestMs, peakMiB }) {
  tried += count;
  const speed = `${Math.round(count / took)}/s`;
  console.log(
    `${target.padEnd(20)} ${String(count).padStart(8)} inputs ${speed.padStart(8)}  ${accepted} accepted, ${refused} refused, ` +
      `slowest ${Math.round(slowestMs)} ms, peak ${peakMiB} MiB`,
  );
}

async function fuzz(target) {
  let isDone = false;
  const limits = [
    ...(values.inputs === undefined ? ['--inputs', '1000000000'] : ['--inputs', values.inputs]),
    ...(seconds === undefined ? [] : ['--seconds', String(seconds)]),
  ];
  const end = await tryTarget(['--target', target, '--seed', values.seed, '--from', values.from, ...limits], (line) => {
    if (line.target === undefined) sayFault(target, line);
    else saySummary(line);
    isDone ||= line.target !== undefined;
  });
  const index = lastIndex(end.pid);
  if (isDone && end.code === 0) return;
  sayFault(target, { index, fault: `its process ended with ${end.signal ?? `code ${end.code}`}: ${end.complaints}` });
}

let targets = [];
const listed = await tryTarget(['--list'], (line) => {
  targets = line;
});
if (listed.code !== 0) throw new Error(listed.complaints);
if (values.list) {
  console.log(targets.join('\n'));
  process.exit(0);
}
const unknown = positionals.find((name) => !targets.includes(name));
if (unknown !== undefined) throw new Error(`no target ${unknown}; there are ${targets.join(', ')}`);
console.log(`seed ${values.seed}`);
const waiting = positionals.length > 0 ? [...positionals] : [...targets];
await Promise.all(
  Array.from({ length: Number(values.jobs) }, async () => {
    for (let target = waiting.shift(); target !== undefined; target = waiting.shift()) await fuzz(target);
  }),
);
console.log(`${tried} inputs, ${faults} faults`);
process.exitCode = faults === 0 ? 0 : 1;
