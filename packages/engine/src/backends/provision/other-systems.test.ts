import { existsSync, lstatSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { exportedSymbols } from '../../../test/exported-symbols.js';
import { type FakeMachine, fakeMachine, PIP, write } from '../../../test/fake-machine.js';
import { PYTHON, tensorflowFiles, writeWheel } from '../../../test/fake-wheel.js';
import { type InstallOptions, type InstallResult, installBackend } from './install-backend.js';

type Id = Parameters<typeof fakeMachine>[0];

// The programs of these machines are shell scripts, whatever system they seem to be.
const hasShell = process.platform !== 'win32';
if (!hasShell) console.log('skipped: the installation on other systems is tried with shell scripts');

describe.skipIf(!hasShell)('installBackend', () => {
  let machine: FakeMachine | undefined;
  beforeEach(() => {
    machine = undefined;
  });
  afterEach(() => {
    vi.restoreAllMocks();
    machine?.remove();
  });

  /** A machine of this system, as far as this process sees. */
  const become = (id: Id & string): FakeMachine => {
    const [system, architecture] = id.split('-') as [NodeJS.Platform, NodeJS.Architecture];
    vi.spyOn(process, 'platform', 'get').mockReturnValue(system);
    vi.spyOn(process, 'arch', 'get').mockReturnValue(architecture);
    const header = { osRelease: '23.6.0', ...(system === 'linux' && { glibcVersionRuntime: '2.36' }) };
    vi.spyOn(process.report!, 'getReport').mockReturnValue({ header });
    machine = fakeMachine(id);
    return machine;
  };
  const install = ({ env, project, knownWheels }: FakeMachine, options: InstallOptions = {}): Promise<InstallResult> =>
    installBackend({ env, searchFrom: [project], knownWheels: knownWheels(), ...options });

  it('takes macOS libraries and compiles with clang++ on Apple silicon', async () => {
    const here = become('darwin-arm64');
    expect(await install(here)).toMatchObject({ status: 'installed', libtensorflow: '2.21.0' });
    const libraries = join(here.packageDirectory, 'deps', 'lib');
    expect(readFileSync(join(libraries, 'libtensorflow.2.dylib'), 'latin1')).toContain('tensorflow 2.21.0');
    expect(existsSync(join(here.env.METAAPO_HOME!, 'libtensorflow', '2.21-cpu-darwin-arm64'))).toBe(true);
    expect(here.calls().at(-1)).toBe('clang++');
    expect(here.requirements()[0]).toMatch(/^tensorflow==2\.21\.0 --hash/);
    expect(await install(here)).toMatchObject({ status: 'already-installed' });
  });

  it('says how a compiler is got on macOS', async () => {
    const here = become('darwin-arm64');
    here.removeProgram('clang++');
    await expect(install(here)).rejects.toThrow(/none of clang\+\+.*xcode-select --install/);
  });

  it('takes the wheel for arm64 on Linux', async () => {
    const here = become('linux-arm64');
    expect(await install(here)).toMatchObject({ status: 'installed' });
    expect(existsSync(join(here.env.METAAPO_HOME!, 'libtensorflow', '2.21-cpu-linux-arm64'))).toBe(true);
    expect(here.calls().at(-1)).toBe('g++');
  });

  it('refuses a wheel of another system', async () => {
    const here = become('linux-arm64');
    const files = tensorflowFiles({ name: 'tensorflow', target: 'darwin-arm64' });
    const wheel = writeWheel(join(here.root, 'macos.whl'), files);
    await expect(install(here, { wheel })).rejects.toThrow(
      /not tensorflow 2\.21\.0 for Linux arm64.*another platform.*macosx/,
    );
  });

  it('lays the libraries beside the binding on Windows, with a stand-in for Python', async () => {
    const here = become('win32-x64');
    const binding = join(here.root, 'prebuilt.node');
    write(binding, 'MZ good');
    write(join(here.root, 'metaapo_quiet.node'), 'MZ quiet');
    expect(await install(here, { binding })).toMatchObject({ status: 'installed', libtensorflow: '2.21.0' });
    const folder = join(here.packageDirectory, 'lib', 'napi-v8');
    expect(readdirSync(folder).sort()).toEqual([
      '_pywrap_tensorflow_common.dll',
      'metaapo_quiet.node',
      'python312.dll',
      'tfjs_binding.node',
    ]);
    expect([...exportedSymbols(join(folder, 'python312.dll'))].sort()).toEqual([...PYTHON].sort());
    expect(lstatSync(join(folder, '_pywrap_tensorflow_common.dll')).isSymbolicLink()).toBe(false);
    expect(existsSync(join(here.packageDirectory, 'deps', 'lib'))).toBe(false);
    expect(await install(here)).toMatchObject({ status: 'already-installed' });
    const second = here.addProject('second');
    expect(await install(here, { searchFrom: [second.project], binding })).toMatchObject({ status: 'installed' });
  });

  it('downloads through the launcher of Python on Windows', async () => {
    const here = become('win32-x64');
    const binding = join(here.root, 'prebuilt.node');
    write(binding, 'MZ good');
    here.removeProgram('python3');
    here.program('py', PIP);
    expect(await install(here, { binding })).toMatchObject({ status: 'installed' });
  });

  it('asks for a prebuilt binding on Windows before anything is downloaded', async () => {
    const here = become('win32-x64');
    await expect(install(here)).rejects.toThrow(/not compiled.*Windows x64.*tfjs_binding-win32-x64\.node.*--binding/);
    expect(here.calls()).toEqual([]);
  });

  it('refuses a binding that is of another system', async () => {
    const here = become('win32-x64');
    const binding = join(here.root, 'prebuilt.node');
    write(binding, '\x7fELF good');
    await expect(install(here, { binding })).rejects.toThrow(/no Windows library.*built for Windows x64/);
  });
});
