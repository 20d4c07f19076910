// The supported versions of Node that this process is not, as executables out of npm's packages `node-<platform>-<arch>`.
// They are kept in node_modules/.cache, so that they are downloaded once.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { root, run } from '../setup.mjs';

const MAJORS = [20, 22, 24];
const NPM_FLAGS = ['--no-save', '--no-audit', '--no-fund', '--ignore-scripts', '--no-package-lock', '--prefer-offline'];
const TIMEOUT_MS = 180_000;

/**
 * Starts all downloads at once and resolves when they have ended; none keeps the process waiting.
 * @returns for each version either its executable or the reason why it cannot be had
 */
export function otherNodes() {
  const own = Number(process.versions.node.split('.')[0]);
  return Promise.all(MAJORS.filter((major) => major !== own).map(nodeOf));
}

async function nodeOf(major) {
  const directory = join(root, 'node_modules', '.cache', 'metaapo', `node-${major}`);
  const platform = process.platform === 'win32' ? 'win' : process.platform;
  const path = join(directory, 'node_modules', 'node', 'bin', platform === 'win' ? 'node.exe' : 'node');
  const downloadProblem = existsSync(path)
    ? undefined
    : await install(directory, `node-${platform}-${process.arch}@${major}`);
  if (downloadProblem !== undefined) return { major, problem: downloadProblem };
  const started = run(path, ['--version'], { quiet: true });
  if (`${started.stdout}`.startsWith(`v${major}.`)) return { major, path };
  return { major, problem: `${started.error ?? started.stderr}`.trim() };
}

/** What went wrong, or `undefined`. */
function install(directory, name) {
  mkdirSync(directory, { recursive: true });
  const args = ['install', '--prefix', directory, ...NPM_FLAGS, `node@npm:${name}`];
  const child = spawn('npm', args, { stdio: ['ignore', 'ignore', 'pipe'], timeout: TIMEOUT_MS });
  let said = '';
  child.stderr.on('data', (text) => {
    said += text;
  });
  return new Promise((resolve) => {
    child.on('error', (error) => resolve(error.message));
    child.on('close', (status) => resolve(status === 0 ? undefined : `npm install ${name}: ${firstLine(said)}`));
  });
}

const firstLine = (text) => text.trim().split('\n')[0] || 'it did not end in time';
