// Tries the native backend of other systems under emulation, on Linux x64: `pnpm test:systems [linux-arm64] [win32-x64]`.
// For each system it installs the packed packages into an empty project, runs `backend install` and `doctor` with that
// system's Node, and computes golden models. Downloads and libraries (1.5 GB a system) are kept in node_modules/.cache.
// Exit code 1 when something does not hold, 3 (with the reason) where nothing could be tried.
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fail, pnpm, root, run, setUp } from './setup.mjs';
import { EMULATED_SYSTEMS, runEmulated } from './systems/emulated-systems.mjs';

const MODELS = ['llama', 'qwen2', 'gemma2'];
const NPM_FLAGS = ['--no-save', '--no-audit', '--no-fund', '--ignore-scripts', '--no-package-lock', '--prefer-offline'];
const { version: tensorflow } = JSON.parse(
  readFileSync(join(root, 'node_modules/@tensorflow/tfjs-node/package.json'), 'utf8'),
);
const cache = join(root, 'node_modules', '.cache', 'metaapo', 'systems');

let failures = 0;
let tried = 0;

/** Prints one line for a step; the whole text when it failed. */
function report(name, { status, said }) {
  if (status !== 0) failures += 1;
  process.stdout.write(`${status === 0 ? 'ok' : 'failed'}: ${name}\n${said.replaceAll(/^(?=.)/gm, '    ')}\n`);
  return status === 0;
}

function outcome({ status, stdout = '', stderr = '', error }) {
  return { status, said: status === 0 ? '' : `${stdout}${stderr}${error ?? ''}` };
}

function trySystem(id, system, directory, tarballs) {
  const node = nodeOf(system);
  const project = join(directory, id);
  mkdirSync(project);
  const packages = [...tarballs, `@tensorflow/tfjs@${tensorflow}`, `@tensorflow/tfjs-node@${tensorflow}`];
  const installed = run('npm', ['install', ...NPM_FLAGS, ...system.npm, ...packages], { quiet: true, cwd: project });
  if (!report(`${id}: npm install`, outcome(installed))) return;
  run('cp', [join(root, 'scripts/systems/try-backend.mjs'), project]);
  const start = system.prepare(directory, node);
  const options = { cwd: project, more: { METAAPO_HOME: join(cache, 'home') } };
  const command = 'node_modules/@metaapo/cli/bin/metaapo.js';
  const install = runEmulated(start, [command, 'backend', 'install', ...givenFor(id, project)], options);
  if (!report(`${id}: metaapo backend install`, install)) return;
  report(`${id}: metaapo doctor`, runEmulated(start, [command, 'doctor', '--quick'], options));
  const models = join(root, 'fixtures', 'models');
  report(`${id}: golden models`, runEmulated(start, ['try-backend.mjs', 'tensorflow', models, ...MODELS], options));
}

/** The executable of that system's Node, of the version that this is. */
function nodeOf({ node, executable, npm }) {
  const prefix = join(cache, node);
  const path = join(prefix, 'node_modules', node, 'bin', executable);
  if (existsSync(path)) return path;
  mkdirSync(prefix, { recursive: true });
  const [major] = process.versions.node.split('.');
  // Forced, since npm takes this for a mistake: it is for another system than the one that npm runs on.
  const args = ['install', '--force', '--prefix', prefix, ...NPM_FLAGS, ...npm, `${node}@${major}`];
  const { status, stderr } = run('npm', args, { quiet: true });
  if (status !== 0) fail(`npm could not install ${node}@${major}: ${stderr}`);
  return path;
}

/** Under Wine there is neither a pip nor a compiler: the wheel and the binding are given. */
function givenFor(id, project) {
  if (id !== 'win32-x64') return [];
  const wheels = join(cache, 'wheels');
  const built = run(process.execPath, [join(root, 'scripts/systems/build-windows-binding.mjs'), project], {
    quiet: true,
  });
  report(`${id}: the binding is built`, { status: built.status, said: `${built.stdout}${built.stderr}` });
  const platform = ['--platform', 'win_amd64', '--python-version', '3.12', '--only-binary=:all:', '--no-deps'];
  if (!existsSync(wheels)) {
    const args = ['-m', 'pip', 'download', ...platform, '-d', wheels, 'tensorflow==2.21.0'];
    report(`${id}: pip download`, outcome(run('python3', args, { quiet: true })));
  }
  const [wheel] = readdirSync(wheels).filter((name) => name.endsWith('win_amd64.whl'));
  return ['--wheel', join(wheels, wheel), '--binding', `tfjs_binding-${id}.node`];
}

/** Why a system cannot be emulated here. */
function obstacleTo({ tools, packages }) {
  if (process.platform !== 'linux' || process.arch !== 'x64') return 'it is emulated on Linux x64 only';
  const missing = tools.filter((tool) => run('which', [tool], { quiet: true }).status !== 0);
  return missing.length === 0 ? undefined : `${missing.join(', ')} not found: \`apt-get install ${packages}\``;
}

const wanted = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(EMULATED_SYSTEMS);
for (const id of wanted) {
  if (!(id in EMULATED_SYSTEMS)) fail(`${id} is none of ${Object.keys(EMULATED_SYSTEMS).join(', ')}`);
}
setUp();
const directory = mkdtempSync(join(tmpdir(), 'metaapo-systems-'));
try {
  const packing = ['-r', '--filter', './packages/*', 'pack', '--pack-destination', join(directory, 'tarballs')];
  if (report('packing all packages', outcome(pnpm(packing, { quiet: true })))) {
    const tarballs = readdirSync(join(directory, 'tarballs')).map((name) => join(directory, 'tarballs', name));
    for (const id of wanted) {
      const obstacle = obstacleTo(EMULATED_SYSTEMS[id]);
      if (obstacle !== undefined) process.stdout.write(`skipped: ${id}: ${obstacle}\n`);
      else {
        tried += 1;
        trySystem(id, EMULATED_SYSTEMS[id], directory, tarballs);
      }
    }
  }
} finally {
  rmSync(directory, { recursive: true, force: true });
}
process.stdout.write(failures === 0 ? `systems: ${tried} tried, everything holds\n` : `systems: ${failures} failed\n`);
process.exit(failures > 0 ? 1 : tried === 0 ? 3 : 0);
