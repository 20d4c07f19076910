// Builds for Windows x64 on Linux, with MinGW-w64 and the headers of the native backend that is installed here:
// `node scripts/systems/build-windows-binding.mjs DIRECTORY` writes the binding and the small addon that goes beside it. It
// needs no Windows: the names that are asked of node.exe and of TensorFlow's library are those that the objects leave open.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { fail, root, run } from '../setup.mjs';

const COMPILER = 'x86_64-w64-mingw32-g++-posix';
const PACKAGES = '`apt-get install g++-mingw-w64-x86-64-posix`';
const LIBRARIES = { 'node.exe': /^napi_/, '_pywrap_tensorflow_common.dll': /^TFE?_/ };
const FLAGS = ['-std=c++17', '-O2', '-DNAPI_VERSION=8', '-DBUILDING_NODE_EXTENSION'];

const [directory] = process.argv.slice(2);
if (directory === undefined) fail('Say where the binding goes: build-windows-binding.mjs DIRECTORY');
const tfjs = dirname(createRequire(join(root, 'package.json')).resolve('@tensorflow/tfjs-node/package.json'));
const engine = createRequire(join(root, 'packages', 'engine', 'package.json'));
const headers = dirname(engine.resolve('node-api-headers/include/node_api.h'));
const build = mkdtempSync(join(tmpdir(), 'metaapo-binding-'));
try {
  const sources = ['tfjs_backend.cc', 'tfjs_binding.cc'].map((name) => join(tfjs, 'binding', name));
  mkdirSync(directory, { recursive: true });
  link('tfjs_binding-win32-x64.node', sources);
  link('metaapo_quiet.node', [join(root, 'scripts', 'systems', 'windows-quiet.cc')]);
} finally {
  rmSync(build, { recursive: true, force: true });
}

function link(output, sources) {
  const objects = sources.map((source) => {
    const object = join(build, `${basename(source)}.o`);
    call(COMPILER, [...FLAGS, '-I', headers, '-I', join(tfjs, 'deps', 'include'), '-c', source, '-o', object]);
    return object;
  });
  const open = call('x86_64-w64-mingw32-nm', ['--undefined-only', ...objects]);
  // What is declared as another library's goes by a pointer to it.
  const names = new Set(Array.from(open.matchAll(/ U (?:__imp_)?(\S+)/g), ([, name]) => name));
  const imports = Object.entries(LIBRARIES).flatMap(([library, wanted]) => {
    const asked = [...names].filter((name) => wanted.test(name)).sort();
    if (asked.length === 0) return [];
    process.stdout.write(`${output} asks ${library} for ${asked.length} names\n`);
    const definition = join(build, `${library}.def`);
    writeFileSync(definition, [`LIBRARY ${library}`, 'EXPORTS', ...asked, ''].join('\n'));
    call('x86_64-w64-mingw32-dlltool', ['-d', definition, '-l', `${definition}.a`]);
    return [`${definition}.a`];
  });
  call(COMPILER, ['-shared', '-static', '-s', '-o', join(resolve(directory), output), ...objects, ...imports]);
}

/** What a program writes; ends the process where it fails. */
function call(program, args) {
  const { status, stdout, stderr, error } = run(program, args, { quiet: true });
  if (error?.code === 'ENOENT') fail(`${program} is not installed: ${PACKAGES}`);
  if (status !== 0) fail(`${program} failed:\n${stderr}`);
  return stdout;
}
