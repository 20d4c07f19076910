// Installs the workspace and builds it where sources are newer than the build. Needs Node alone.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, linkSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url));
const PNPM = '10.34.9';

/** Ends the process with one paragraph. */
export function fail(text) {
  process.stderr.write(`${text}\n`);
  process.exit(2);
}

/** Runs a command, at the root unless `cwd` says otherwise; its output is shown unless `quiet`, or goes where `stdio` says. */
export function run(command, args, { quiet = false, env = {}, input, cwd = root, stdio } = {}) {
  return spawnSync(command, args, {
    cwd,
    stdio: stdio ?? [input === undefined ? 'ignore' : 'pipe', quiet ? 'pipe' : 'inherit', quiet ? 'pipe' : 'inherit'],
    env: { ...process.env, ...env },
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
    input,
  });
}

function pnpmCommand() {
  const own = run('pnpm', ['--version'], { quiet: true });
  if (own.status === 0 && own.stdout.startsWith('10.')) return ['pnpm', []];
  return ['npx', ['--yes', `pnpm@${PNPM}`]];
}

/** Runs pnpm 10, from the PATH or through npx. */
export function pnpm(args, options) {
  const [command, before] = pnpmCommand();
  return run(command, [...before, ...args], options);
}

function newest(directory, accept) {
  let latest = 0;
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) latest = Math.max(latest, newest(path, accept));
    else if (accept(entry.name)) latest = Math.max(latest, statSync(path).mtimeMs);
  }
  return latest;
}

function isBuilt(name) {
  const directory = join(root, 'packages', name);
  const output = join(directory, 'dist', 'index.d.ts');
  if (!existsSync(output)) return false;
  const built = statSync(output).mtimeMs;
  return newest(join(directory, 'src'), (file) => !file.includes('.test')) <= built;
}

/** Folders of packages; a folder that holds ignored files alone is left over from another branch. */
function packageNames() {
  return readdirSync(join(root, 'packages')).filter((name) => existsSync(join(root, 'packages', name, 'package.json')));
}

function outputOf({ stdout, stderr, error }) {
  return [stdout, stderr, error?.message].filter(Boolean).join('\n').trim();
}

function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major < 20 || (major === 20 && minor < 19)) {
    fail(`Node ${process.versions.node} is too old: expected 20.19 or newer. Install a newer Node and try again.`);
  }
}

/** pnpm keeps the lock file of what it installed last. */
function isInstalled() {
  const installed = join(root, 'node_modules', '.pnpm', 'lock.yaml');
  return (
    existsSync(installed) &&
    existsSync(join(root, 'node_modules', '.modules.yaml')) &&
    readFileSync(installed, 'utf8') === readFileSync(join(root, 'pnpm-lock.yaml'), 'utf8')
  );
}

function install() {
  process.stdout.write('Installing packages ...\n');
  // Development dependencies come along whatever NODE_ENV says; CI keeps pnpm from asking questions.
  const installed = pnpm(['install', '--frozen-lockfile', '--prod=false'], { quiet: true, env: { CI: '1' } });
  if (installed.status === 0) return;
  fail(
    `The packages could not be installed: ${outputOf(installed)}\n` +
      'Check that the npm registry can be reached and that the disk has 2 GB free, then try again.',
  );
}

/** Id of the process that a lock file names, where that process is still there. */
function holderOf(lock) {
  const holder = Number(existsSync(lock) ? readFileSync(lock, 'utf8') : Number.NaN);
  try {
    if (Number.isInteger(holder) && holder > 0 && process.kill(holder, 0)) return holder;
  } catch (error) {
    if (error.code === 'EPERM') return holder;
  }
  return undefined;
}

/** Runs work that no other command of this checkout does at the same time. */
function alone(work) {
  const name = createHash('sha256').update(root).digest('hex').slice(0, 16);
  const lock = join(tmpdir(), `metaapo-setup-${name}`);
  const own = `${lock}.${process.pid}`;
  writeFileSync(own, `${process.pid}`);
  for (let told; ; ) {
    try {
      linkSync(own, lock);
      break;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    const holder = holderOf(lock);
    if (holder === undefined) rmSync(lock, { force: true });
    else if (told !== holder) process.stdout.write(`Waiting for process ${holder}, which sets this checkout up ...\n`);
    told = holder;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300);
  }
  rmSync(own);
  try {
    work();
  } finally {
    rmSync(lock, { force: true });
  }
}

const stalePackages = () => packageNames().filter((name) => !isBuilt(name));

/** Installs what the lock file says and builds stale packages. */
export function setUp() {
  checkNode();
  if (isInstalled() && stalePackages().length === 0) return;
  alone(installAndBuild);
}

function installAndBuild() {
  if (!isInstalled()) install();
  const stale = stalePackages();
  if (stale.length === 0) return;
  process.stdout.write(`Building ${stale.join(', ')} ...\n`);
  const built = pnpm(['run', 'build'], { quiet: true });
  if (built.status !== 0) fail(`The build failed:\n${outputOf(built)}`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) setUp();
