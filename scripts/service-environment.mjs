// The Python environment of a real training server (SkyRL's, on a CPU): a Python 3.12 that is there already, and a venv in
// the cache directory with the packages of test/service/requirements.txt, 0.9 GB, made once.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { root, run } from './setup.mjs';

const requirements = join(root, 'test', 'service', 'requirements.txt');

/** The cache that all projects of a user share, as @metaapo/engine finds it. */
function cacheHome({ METAAPO_HOME, XDG_CACHE_HOME, HOME }) {
  if (METAAPO_HOME) return resolve(METAAPO_HOME);
  return join(XDG_CACHE_HOME || join(HOME || homedir(), '.cache'), 'metaapo');
}

/** Pythons that may be there: the one that PYTHON names, those of the PATH, and pyenv's. */
function candidates() {
  const versions = join(process.env.PYENV_ROOT || join(homedir(), '.pyenv'), 'versions');
  const installed = existsSync(versions) ? readdirSync(versions).filter((name) => name.startsWith('3.12.')) : [];
  const ofPyenv = installed.map((name) => join(versions, name, 'bin', 'python'));
  return [process.env.PYTHON, 'python3.12', 'python3', ...ofPyenv].filter(Boolean);
}

function findPython() {
  const code = 'import sys, ensurepip, venv; print(sys.version_info[:2] == (3, 12))';
  return candidates().find((command) => run(command, ['-c', code], { quiet: true }).stdout?.trim() === 'True');
}

/** The packages that are installed, in a directory named by their list; so another list is another directory. */
function directoryOf() {
  const key = createHash('sha256').update(readFileSync(requirements)).digest('hex').slice(0, 12);
  return join(cacheHome(process.env), 'service', key);
}

/** Makes the venv beside its place and renames it, so that one that is there is whole. */
function install(python, directory) {
  const partial = `${directory}.${process.pid}`;
  process.stdout.write(`Installing the training server (0.9 GB) into ${directory} ...\n`);
  mkdirSync(join(directory, '..'), { recursive: true });
  const own = join(partial, 'bin', 'python');
  const pip = ['-m', 'pip', 'install', '--no-deps', '--disable-pip-version-check', '--quiet', '-r', requirements];
  try {
    for (const [command, args] of [
      [python, ['-m', 'venv', partial]],
      [own, pip],
    ]) {
      const { status, stderr, error } = run(command, args, { quiet: true });
      if (status !== 0) return `${command} ${args.join(' ')} failed: ${(stderr || error?.message || '').slice(-1000)}`;
    }
    if (!existsSync(directory)) renameSync(partial, directory);
    return undefined;
  } finally {
    rmSync(partial, { recursive: true, force: true });
  }
}

/**
 * Finds or makes the environment.
 * @returns `{ python }`, the interpreter that starts the server, or `{ reason }` why there is none
 */
export function serviceEnvironment() {
  if (process.platform === 'win32') return { reason: 'the server runs on Linux and macOS alone' };
  const directory = directoryOf();
  const python = join(directory, 'bin', 'python');
  if (existsSync(python)) return { python };
  const base = findPython();
  if (base === undefined) {
    return {
      reason: 'no Python 3.12 with venv was found: not by PYTHON, on the PATH, nor among the versions of pyenv',
    };
  }
  const reason = install(base, directory);
  return reason === undefined ? { python } : { reason };
}
