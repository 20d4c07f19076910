// Packs every public package and tries the tarballs as a user gets them: lints them, installs them with npm into an
// empty project, imports each entry under plain Node, type-checks a user's file, starts the command and tries a plugin of
// another author, under this Node and under every other supported version that npm has for this machine. With
// --node PATH, repeated, under that one as well.
// TensorFlow.js is linked from the workspace, not downloaded again. Exit code 1 when something does not hold.
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { otherNodes } from './packed/other-nodes.mjs';
import { tryPlugin } from './packed/try-plugin.mjs';
import { pnpm, root, run, setUp } from './setup.mjs';

/** Large packages and types that the user's project takes from the workspace: name -> whose copy. */
const LINKED = {
  '@tensorflow/tfjs': 'packages/core',
  '@tensorflow/tfjs-backend-wasm': 'packages/engine',
  '@types/node': '.',
};
const NPM_FLAGS = ['--prefer-offline', '--no-audit', '--no-fund', '--ignore-scripts', '--no-package-lock'];

let failures = 0;

/** Prints one line for a check; the whole text when it failed. */
function report(name, problem) {
  if (problem) failures += 1;
  process.stdout.write(problem ? `failed: ${name}\n${problem.trimEnd()}\n` : `ok: ${name}\n`);
  return !problem;
}

function outcome(result) {
  return result.status === 0 ? undefined : `${result.stdout ?? ''}${result.stderr ?? ''}` || String(result.error);
}

const tool = (name) => join(root, 'node_modules', '.bin', name);
const readJson = (path) => JSON.parse(readFileSync(path, 'utf8'));

function publicPackages() {
  return readdirSync(join(root, 'packages'))
    .map((name) => join(root, 'packages', name, 'package.json'))
    .filter((path) => existsSync(path))
    .map(readJson)
    .filter((manifest) => manifest.private !== true);
}

/** Packs everything; the tarball of each package by name. */
function pack(manifests, directory) {
  const packed = pnpm(['-r', '--filter', './packages/*', 'pack', '--pack-destination', directory], { quiet: true });
  if (!report('pnpm pack', outcome(packed))) return undefined;
  return new Map(
    manifests.map(({ name, version }) => [
      name,
      join(directory, `${name.replace('@', '').replace('/', '-')}-${version}.tgz`),
    ]),
  );
}

function lintTarball(name, tarball) {
  report(`${name}: publint`, outcome(run(tool('publint'), ['run', tarball, '--strict'], { quiet: true })));
  const attw = ['--profile', 'esm-only', '--format', 'ascii', tarball];
  report(`${name}: types resolve (attw)`, outcome(run(tool('attw'), attw, { quiet: true })));
  const { stdout: listing } = run('tar', ['-tzf', tarball], { quiet: true });
  const manifest = run('tar', ['-xzOf', tarball, 'package/package.json'], { quiet: true }).stdout;
  const problems = [
    listing.includes('package/LICENSE') ? '' : 'LICENSE is missing\n',
    listing.includes('package/README.md') ? '' : 'README.md is missing\n',
    /\.test\.(?!ts\.template)|\/src\//.test(listing) ? 'it holds sources or tests\n' : '',
    manifest.includes('"workspace:') ? 'its package.json names workspace: versions\n' : '',
  ];
  report(`${name}: contents`, problems.join(''));
}

/** An empty project that asks for every tarball; npm takes the linked packages from placeholders. */
function writeProject(project, tarballs) {
  const placeholders = {};
  for (const name of Object.keys(LINKED)) {
    const directory = join(project, 'placeholders', name.replace('/', '-'));
    mkdirSync(directory, { recursive: true });
    const { version } = readJson(join(sourceOf(name), 'package.json'));
    writeFileSync(join(directory, 'package.json'), JSON.stringify({ name, version }));
    placeholders[name] = `file:${directory}`;
  }
  const packages = Object.fromEntries([...tarballs].map(([name, file]) => [name, `file:${file}`]));
  const references = Object.keys({ ...packages, ...placeholders }).map((name) => [name, `$${name}`]);
  const manifest = {
    name: 'consumer',
    private: true,
    type: 'module',
    dependencies: { ...packages, ...placeholders },
    overrides: Object.fromEntries(references),
  };
  writeFileSync(join(project, 'package.json'), JSON.stringify(manifest, null, 2));
}

function sourceOf(name) {
  return join(root, LINKED[name], 'node_modules', name);
}

/** Runs npm install in the project, of everything it asks for and of more; then links the large packages. */
function install(project, more = []) {
  const installed = run('npm', ['install', ...NPM_FLAGS, ...more], { quiet: true, cwd: project });
  if (!report(`npm install of ${more.length === 0 ? 'the tarballs' : 'the plugin'}`, outcome(installed))) return false;
  for (const name of Object.keys(LINKED)) {
    const target = join(project, 'node_modules', name);
    rmSync(target, { recursive: true, force: true });
    mkdirSync(dirname(target), { recursive: true });
    symlinkSync(sourceOf(name), target);
  }
  return true;
}

/** Everything that can be imported from a package, as a user writes it. */
function entriesOf({ name, exports }) {
  return Object.keys(exports)
    .filter((key) => key !== './package.json')
    .map((key) => (key === '.' ? name : `${name}/${key.slice(2)}`));
}

function importEntries(project, entries) {
  for (const entry of entries) {
    const script = `const entry = await import(${JSON.stringify(entry)}); console.log(Object.keys(entry).length);`;
    const imported = run(process.execPath, ['--input-type=module', '-e', script], { quiet: true, cwd: project });
    report(`import ${entry}`, outcome(imported));
  }
}

/** Type-checks imports of everything and the file of a user. Only what the packages or the user's files do wrong counts. */
function typeCheck(project, entries) {
  const lines = entries.map((entry, index) => `import * as entry${index} from '${entry}';`);
  const names = entries.map((_, index) => `entry${index}`).join(', ');
  writeFileSync(join(project, 'entries.ts'), `${lines.join('\n')}\nexport const entries: object[] = [${names}];\n`);
  const options = ['--strict', '--target', 'ES2022', '--module', 'NodeNext', '--moduleResolution', 'NodeNext'];
  const checked = run(
    tool('tsc'),
    ['--noEmit', '--pretty', 'false', '--types', 'node', ...options, 'entries.ts', 'compute-loss.ts'],
    { quiet: true, cwd: project },
  );
  const ours = checked.stdout
    .split('\n')
    .filter((line) => /^(entries|compute-loss|node_modules\/@metaapo\/)/.test(line));
  report('type-check of a user (NodeNext)', ours.join('\n'));
}

function computeLoss(project) {
  const computed = run(tool('tsx'), ['compute-loss.ts'], { quiet: true, cwd: project });
  report('a loss computed by a user', outcome(computed));
}

function startCommand(project, { version }) {
  const command = join(project, 'node_modules', '.bin', 'metaapo');
  const printed = run(command, ['--version'], { quiet: true, cwd: project });
  const said = `${printed.stdout}`.trim();
  report(
    'metaapo --version',
    outcome(printed) ?? (said.includes(version) ? undefined : `expected ${version}, got '${said}'`),
  );
  report('metaapo --help', outcome(run(command, ['--help'], { quiet: true, cwd: project })));
}

/** Runs a command in a directory and reports it; true when it held. */
function check(name, command, args, cwd) {
  return report(name, outcome(run(command, args, { quiet: true, cwd })));
}

/** This Node, those named after --node, and those that could be downloaded. */
function nodes(others) {
  const named = process.argv.slice(2).filter((argument, at, all) => all[at - 1] === '--node' && argument !== '--node');
  for (const { major, problem } of others) {
    if (problem !== undefined) process.stdout.write(`skipped: the plugin under Node ${major}: ${problem}\n`);
  }
  return [process.execPath, ...named, ...others.flatMap(({ path }) => path ?? [])];
}

async function main() {
  setUp();
  // Downloads go on while everything else is tested.
  const others = otherNodes();
  const project = mkdtempSync(join(tmpdir(), 'metaapo-packed-'));
  try {
    const manifests = publicPackages();
    const tarballs = pack(manifests, project);
    if (!tarballs) return;
    for (const [name, tarball] of tarballs) lintTarball(name, tarball);
    writeProject(project, tarballs);
    if (!install(project)) return;
    const entries = manifests.flatMap(entriesOf);
    importEntries(project, entries);
    cpSync(fileURLToPath(new URL('packed/compute-loss.ts', import.meta.url)), join(project, 'compute-loss.ts'));
    typeCheck(project, entries);
    computeLoss(project);
    for (const manifest of manifests) if (manifest.bin?.metaapo) startCommand(project, manifest);
    tryPlugin(project, nodes(await others), check, (tarball) => install(project, [tarball]));
  } finally {
    rmSync(project, { recursive: true, force: true });
  }
}

await main();
process.stdout.write(failures === 0 ? 'packed: everything holds\n' : `packed: ${failures} failed\n`);
process.exit(failures === 0 ? 0 : 1);
