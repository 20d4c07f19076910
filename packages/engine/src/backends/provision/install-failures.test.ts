import { spawn } from 'node:child_process';
import { readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isMetaapoError } from '@metaapo/core/contracts';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type FakeMachine, fakeMachine, PIP, write } from '../../../test/fake-machine.js';
import { nvidiaFiles, tensorflowFiles, type WheelFiles, writeWheel } from '../../../test/fake-wheel.js';
import { type InstallOptions, installBackend } from './install-backend.js';
import { currentPlatform } from './platform.js';

const { system, architecture, glibc } = currentPlatform();
const canInstall = system === 'linux' && architecture === 'x64' && glibc !== undefined;
if (!canInstall)
  console.log(`skipped: backends are installed on Linux x64 with glibc, and this is ${system} ${architecture}`);

/** A machine with something wrong, and what the user is told. */
interface FailureCase {
  readonly when: string;
  readonly without?: string;
  readonly programs?: Readonly<Record<string, string>>;
  readonly wheel?: WheelFiles;
  readonly files?: Readonly<Record<string, string>>;
  readonly options?: (root: string) => InstallOptions;
  readonly says: RegExp;
}

const complain = (words: string): string => `echo "${words}" >&2; exit 1`;
const pipThat = (script: string): Record<string, string> => ({
  python3: `case "$*" in --version) exit 0 ;; esac; ${script}`,
});
const BAD_COMPILER = `while [ $# -gt 0 ]; do [ "$1" = -o ] && out="$2"; shift; done; printf '\\177ELF bad' > "$out"`;

const CASES: readonly FailureCase[] = [
  {
    when: 'the package is not installed',
    options: (root) => ({ searchFrom: [root] }),
    says: /npm i @tensorflow\/tfjs-node@4\.22\.0 --ignore-scripts/,
  },
  {
    when: 'there is no python',
    without: 'python3',
    says: /neither python3 nor python.*install python3-pip.*--wheel FILE/,
  },
  {
    when: 'python has no pip',
    programs: pipThat(complain('/usr/bin/python3: No module named pip')),
    says: /a Python without pip.*apt install python3-pip/,
  },
  {
    when: 'pip finds no index',
    programs: pipThat(complain('ERROR: No matching distribution found')),
    says: /No matching distribution found.*proxy.*--wheel FILE/,
  },
  {
    when: 'the index has another wheel of that name',
    programs: pipThat(
      `echo 'ERROR: THESE PACKAGES DO NOT MATCH THE HASHES.' >&2; echo '  Got        ${'ab'.repeat(32)}' >&2; exit 1`,
    ),
    says: /tensorflow-cpu==2\.21\.0 is not what this version of metaapo knows.*got (abab)+.*--allow-unknown-wheel/i,
  },
  { when: 'pip leaves nothing', programs: pipThat('exit 0'), says: /left no wheel/ },
  {
    when: 'pip fills the disk',
    programs: pipThat(complain('ERROR: Could not install: [Errno 28] No space left on device')),
    says: /disk is full.*METAAPO_HOME/,
  },
  {
    when: 'there is no compiler',
    without: 'g++',
    says: /none of g\+\+, c\+\+, clang\+\+.*apt install g\+\+.*--binding FILE/,
  },
  {
    when: 'the compiler fails',
    programs: { 'g++': complain('x.cc:1: error: unknown type') },
    says: /x\.cc:1: error: unknown type.*CXX/,
  },
  {
    when: 'the compiler fills the disk',
    programs: { 'g++': complain('fatal error: x.s: No space left on device\n1 error') },
    says: /disk is full/,
  },
  { when: 'the compiler is killed', programs: { 'g++': 'kill -9 $$' }, says: /could not be compiled.*SIGKILL/ },
  {
    when: 'the check fails',
    programs: { 'g++': BAD_COMPILER },
    says: /does not work.*the binding cannot be opened.*--force/,
  },
  {
    when: 'a prebuilt binding is no library',
    files: { 'text.node': 'hello' },
    options: (root) => ({ binding: join(root, 'text.node') }),
    says: /no Linux library/,
  },
  {
    when: 'a prebuilt binding does not work',
    files: { 'bad.node': '\x7fELF bad' },
    options: (root) => ({ binding: join(root, 'bad.node') }),
    says: /the binding cannot be opened.*leave --binding out/,
  },
  {
    when: 'there is no such wheel',
    options: (root) => ({ wheel: join(root, 'none.whl') }),
    says: /no such file.*download the wheel/,
  },
  {
    when: 'the wheel is of another version',
    wheel: tensorflowFiles({ version: '2.19.0' }),
    says: /tensorflow-cpu 2\.19\.0/,
  },
  {
    when: 'the wheel is for another platform',
    wheel: tensorflowFiles({ tag: 'cp312-cp312-macosx_12_0_arm64' }),
    says: /another platform/,
  },
  { when: 'the wheel is of another package', wheel: nvidiaFiles('cublas'), says: /no TensorFlow/ },
  {
    when: 'there is no such environment',
    options: (root) => ({ fromPython: join(root, 'none') }),
    says: /no such file.*pip install tensorflow==/,
  },
  {
    when: 'the directory has no tensorflow',
    options: (root) => ({ fromPython: root }),
    says: /no folder tensorflow/,
  },
  {
    when: 'the python has no tensorflow',
    programs: { bare: 'echo' },
    options: (root) => ({ fromPython: join(root, 'bin', 'bare') }),
    says: /no package tensorflow/,
  },
];

describe.skipIf(!canInstall)('installBackend leaves the old installation and says what to do when', () => {
  let machine: FakeMachine;
  const given = (files: WheelFiles): string => writeWheel(join(machine.root, 'given.whl'), files);
  beforeEach(() => {
    machine = fakeMachine();
    write(join(machine.packageDirectory, 'deps', 'lib', 'libtensorflow.so.2'), 'old library');
    write(join(machine.packageDirectory, 'lib', 'napi-v8', 'tfjs_binding.node'), 'old binding');
  });
  afterEach(() => {
    vi.restoreAllMocks();
    machine.remove();
  });

  it.each(CASES)('$when', async ({ without, programs = {}, wheel, files = {}, options, says }) => {
    if (without !== undefined) machine.removeProgram(without);
    for (const [name, script] of Object.entries(programs)) machine.program(name, script);
    for (const [name, content] of Object.entries(files)) write(join(machine.root, name), content);
    await fails({ ...options?.(machine.root), ...(wheel && { wheel: given(wheel) }) }, says);
  });

  it('the wheel is cut off', async () => {
    const wheel = given(tensorflowFiles());
    truncateSync(wheel, Math.floor(statSync(wheel).size * 0.8));
    await fails({ wheel, allowUnknownWheel: true }, /cannot be read.*truncated.*Fetch it again/);
  });

  it('a byte of the wheel is wrong', async () => {
    const wheel = given(tensorflowFiles());
    const bytes = readFileSync(wheel);
    bytes[bytes.indexOf('ELF framework')] = 0;
    writeFileSync(wheel, bytes);
    await fails({ wheel, allowUnknownWheel: true }, /checksum of tensorflow\/libtensorflow_framework/);
  });

  it('the platform is another one', async () => {
    vi.spyOn(process, 'platform', 'get').mockReturnValue('freebsd');
    await fails({}, /not published for this system.*freebsd.*METAAPO_BACKEND=webgpu.*METAAPO_BACKEND=wasm/);
  });

  it('a signal interrupts it', async () => {
    machine.program('python3', `case "$*" in --version) exit 0 ;; esac; exec /bin/sleep 20`);
    const stop = new AbortController();
    const report = (): void => void setTimeout(() => stop.abort(), 200);
    await fails({ signal: stop.signal, report }, /interrupted.*Run the command again/, 'interrupted');
  });

  it('its process is killed, and the next call completes the work and clears what was left', async () => {
    machine.program('python3', `case "$*" in --version) exit 0 ;; esac; exec /bin/sleep 3`);
    const before = machine.snapshot();
    await installAndKill(machine);
    expect(machine.leftovers().length).toBeGreaterThan(0);
    expect(machine.snapshot()).toMatchObject(before);
    machine.program('python3', PIP);
    const { env, project } = machine;
    expect(await installBackend({ env, searchFrom: [project], knownWheels: machine.knownWheels() })).toMatchObject({
      status: 'installed',
    });
    expect(machine.leftovers()).toEqual([]);
  }, 30_000);

  /** The installation fails with one paragraph, and neither package nor cache differs from before. */
  async function fails(options: InstallOptions, message: RegExp, code = 'backend'): Promise<void> {
    const before = machine.snapshot();
    const { env, project } = machine;
    const knownWheels = machine.knownWheels();
    const call = installBackend({ env, searchFrom: [project], knownWheels, ...options });
    const error = await call.catch((reason: unknown) => reason);
    if (!isMetaapoError(error)) throw new Error(`expected a MetaapoError, got ${JSON.stringify(error)}`);
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
    expect(error.message).not.toContain('\n');
    expect(error.message).toContain('untouched');
    expect(machine.snapshot()).toEqual(before);
    expect(machine.leftovers()).toEqual([]);
  }
});

/** Starts an installation in a process of its own and kills that once pip runs. */
async function installAndKill(machine: FakeMachine): Promise<void> {
  const source = fileURLToPath(new URL('./install-backend.ts', import.meta.url));
  const script = join(machine.root, 'install.mts');
  writeFileSync(
    script,
    `import { installBackend } from ${JSON.stringify(source)};
     await installBackend({ searchFrom: [${JSON.stringify(machine.project)}] });`,
  );
  const cwd = fileURLToPath(new URL('../../../../..', import.meta.url));
  const child = spawn(process.execPath, ['--import', 'tsx', script], { cwd, env: machine.env, stdio: 'inherit' });
  const ended = new Promise((fulfil) => child.on('close', fulfil));
  await vi.waitUntil(() => readdirSync(machine.root).includes('calls') && machine.calls().length >= 2, {
    timeout: 20_000,
  });
  child.kill('SIGKILL');
  await ended;
}
