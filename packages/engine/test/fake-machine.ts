import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { NATIVE_TARGETS, type NativeTarget } from '../src/backends/native-targets.js';
import type { KnownWheel, KnownWheels } from '../src/backends/provision/known-wheels.js';
import { tensorflowFiles, WHEEL_TAGS, writeWheel } from './fake-wheel.js';

/** Stand-in of a native package: it opens its binding and LIBRARIES of FOLDER, and multiplies when they are good. */
const PACKAGE_MAIN = `
const { readFileSync } = require('node:fs');
const { join } = require('node:path');
const read = (...path) => readFileSync(join(__dirname, '..', ...path), 'latin1');
if (!read('lib', 'napi-v8', 'tfjs_binding.node').includes('good')) throw new Error('the binding cannot be opened');
const [main, ...others] = LIBRARIES.map((name) => read(FOLDER, name));
const version = main.split(' ').at(-1);
exports.version = { 'tfjs-node': '4.22.0' };
exports.ready = async () => {};
exports.tensor2d = (rows) => rows;
exports.matMul = (a, b) => ({ data: async () => a.flatMap((row) => b[0].map((_, j) => row.reduce((s, x, i) => s + x * b[i][j], 0))) });
exports.backend = () => ({ binding: { TF_Version: version, loadSavedModel() {} }, isUsingGpuDevice: false });
`;

/** A directory with a project, a native package, a cache, and programs of its own on PATH. */
export interface FakeMachine {
  readonly root: string;
  readonly project: string;
  readonly packageDirectory: string;
  readonly env: NodeJS.ProcessEnv;
  /** Puts a shell script on PATH; each call of it adds its name to `calls()`. */
  program(name: string, script: string): void;
  removeProgram(name: string): void;
  /** Names of the programs that were called, in order. */
  calls(): string[];
  /** A project with the same package, unprovisioned. */
  addProject(name: string, packageName?: string): { project: string; packageDirectory: string };
  /** Every wheel that is on the machine now, as one that is known. */
  knownWheels(): KnownWheels;
  /** What pip was asked for last, a line a package. */
  requirements(): string[];
  /** Every file of the package and its content. */
  snapshot(): Record<string, string>;
  /** Directories of unfinished work, in the package and in the cache. */
  leftovers(): string[];
  remove(): void;
}

/** A pip that copies wheels by name from a folder, and a compiler that writes a good binding. */
export const PIP = `
while [ $# -gt 0 ]; do
  case "$1" in --version) exit 0 ;; --dest) dest="$2" ;; --requirement) wanted="$2" ;; esac
  shift
done
while read -r requirement checksums; do
  name="\${requirement%%[<=>]*}"
  for file in "$WHEELS"/*.whl; do
    stem="\${file##*/}"; stem="\${stem%%-*}"
    [ "$stem" = "$(echo "$name" | /usr/bin/tr - _)" ] && /bin/cp "$file" "$dest/"
  done
done < "$wanted"
/bin/cp "$wanted" "$WHEELS/requirements.txt"
exit 0`;
const compiler = (magic: string): string => {
  const octal = [...Buffer.from(magic, 'latin1')].map((byte) => `\\${byte.toString(8).padStart(3, '0')}`).join('');
  return `while [ $# -gt 0 ]; do [ "$1" = -o ] && out="$2"; shift; done; printf '${octal} good' > "$out"`;
};

/** Makes a machine with a python3 whose pip has TensorFlow, and a compiler. Owned: the caller removes it. */
export function fakeMachine(target: NativeTarget['id'] = 'linux-x64'): FakeMachine {
  const {
    wheels: published,
    libraries,
    libraryFolder,
    magic,
    compiler: tools,
  } = NATIVE_TARGETS.find(({ id }) => id === target)!;
  const main = PACKAGE_MAIN.replace('FOLDER', JSON.stringify(libraryFolder)).replace(
    'LIBRARIES',
    JSON.stringify(libraries.map(({ name }) => name)),
  );
  const root = mkdtempSync(join(tmpdir(), 'metaapo-machine-'));
  const [bin, log, wheels] = [join(root, 'bin'), join(root, 'calls'), join(root, 'wheels')];
  for (const directory of [bin, wheels]) mkdirSync(directory);
  const name = published.cpu.name.replace('-', '_');
  writeWheel(join(wheels, `${name}-2.21.0-${WHEEL_TAGS[target]}.whl`), tensorflowFiles({ name, target }));
  const program = (name: string, script: string): void =>
    writeFileSync(join(bin, name), `#!/bin/sh\necho ${name} >> ${log}\n${script}\n`, { mode: 0o755 });
  program('python3', PIP);
  if (tools !== undefined) program(tools.commands[0]!, compiler(magic));
  const addProject = (name: string, packageName = '@tensorflow/tfjs-node'): ReturnType<FakeMachine['addProject']> => {
    const project = join(root, name);
    const packageDirectory = join(project, 'node_modules', packageName);
    write(
      join(packageDirectory, 'package.json'),
      JSON.stringify({ name: packageName, version: '4.22.0', main: 'dist/index.js' }),
    );
    write(join(packageDirectory, 'dist', 'index.js'), main);
    for (const source of ['tfjs_backend.cc', 'tfjs_binding.cc']) write(join(packageDirectory, 'binding', source), '//');
    return { project, packageDirectory };
  };
  const first = addProject('project');
  return {
    root,
    ...first,
    env: { PATH: bin, METAAPO_HOME: join(root, 'home'), HOME: root, WHEELS: wheels },
    program,
    removeProgram: (name) => rmSync(join(bin, name)),
    calls: () => (existsSync(log) ? readFileSync(log, 'utf8').trim().split('\n') : []),
    addProject,
    knownWheels: () =>
      Object.fromEntries(filesOf(root).flatMap((file) => (file.endsWith('.whl') ? [knownWheel(file)] : []))),
    requirements: () => readFileSync(join(wheels, 'requirements.txt'), 'utf8').trim().split('\n'),
    snapshot: () =>
      Object.fromEntries(filesOf(first.packageDirectory).map((file) => [file, readFileSync(file, 'latin1')])),
    leftovers: () =>
      existsSync(root)
        ? readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((path) => /\.metaapo-stage-[^/]*$/.test(path))
        : [],
    remove: () => rmSync(root, { recursive: true, force: true }),
  };
}

function knownWheel(file: string): readonly [string, KnownWheel] {
  const [name, version = ''] = basename(file).split('-');
  const digest = createHash('sha256').update(readFileSync(file)).digest('hex');
  return [name!.replaceAll('_', '-'), { version, sha256: [digest] }];
}

/** Writes a file and the directories above it. */
export function write(file: string, content: string): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, content, 'latin1');
}

function filesOf(directory: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}
