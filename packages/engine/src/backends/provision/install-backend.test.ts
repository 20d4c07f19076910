import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type FakeMachine, fakeMachine, write } from '../../../test/fake-machine.js';
import { nvidiaFiles, tensorflowFiles, writeWheel } from '../../../test/fake-wheel.js';
import { type InstallOptions, type InstallResult, installBackend } from './install-backend.js';
import { currentPlatform } from './platform.js';

const { system, architecture, glibc } = currentPlatform();
const canInstall = system === 'linux' && architecture === 'x64' && glibc !== undefined;
if (!canInstall)
  console.log(`skipped: backends are installed on Linux x64 with glibc, and this is ${system} ${architecture}`);

describe.skipIf(!canInstall)('installBackend', () => {
  let machine: FakeMachine;
  const install = (options: InstallOptions = {}): Promise<InstallResult> =>
    installBackend({
      env: machine.env,
      searchFrom: [machine.project],
      knownWheels: machine.knownWheels(),
      ...options,
    });
  beforeEach(() => {
    machine = fakeMachine();
  });
  afterEach(() => machine.remove());

  it('downloads the libraries, compiles the binding and checks them', async () => {
    const result = await install();
    expect(result).toMatchObject({ id: 'tensorflow', status: 'installed', libtensorflow: '2.21.0', usesGpu: false });
    const deps = join(machine.packageDirectory, 'deps');
    expect(readFileSync(join(deps, 'lib', 'libtensorflow.so.2'), 'latin1')).toContain('tensorflow 2.21.0');
    expect(readFileSync(join(deps, 'include', 'tensorflow', 'c', 'eager', 'c_api.h'), 'utf8')).toBe('// eager');
    expect(existsSync(join(deps, 'include', 'tsl', 'platform', 'ctstring.h'))).toBe(true);
    expect(existsSync(join(deps, 'include', 'Eigen'))).toBe(false);
    expect(readFileSync(join(machine.packageDirectory, 'lib', 'napi-v8', 'tfjs_binding.node'), 'latin1')).toBe(
      '\x7fELF good',
    );
    expect(machine.leftovers()).toEqual([]);
  });

  it('only checks what is there already', async () => {
    await install();
    const [before, calls, lines] = [machine.snapshot(), machine.calls(), [] as string[]];
    const again = await install({ report: (line) => lines.push(line) });
    expect(again).toMatchObject({ status: 'already-installed', libtensorflow: '2.21.0' });
    expect(again.summary).toContain('is there already');
    expect([machine.snapshot(), machine.calls(), lines]).toEqual([before, calls, []]);
  });

  it('needs neither pip nor a compiler for a second project', async () => {
    await install();
    machine.removeProgram('python3');
    machine.removeProgram('g++');
    const second = machine.addProject('second');
    expect(await install({ searchFrom: [second.project] })).toMatchObject({
      status: 'installed',
      packageDirectory: second.packageDirectory,
    });
  });

  it('makes a cache anew whose libraries are not as they were written, before a second project links them', async () => {
    await install();
    const library = join(machine.env.METAAPO_HOME!, 'libtensorflow/2.21-cpu-linux-x64/lib/libtensorflow_cc.so.2');
    rmSync(library);
    write(library, '\x7fELF another 2.21.0');
    const second = machine.addProject('second');
    const lines: string[] = [];
    await install({ searchFrom: [second.project], report: (line) => lines.push(line) });
    expect(lines.join('\n')).toMatch(/not as it was written: it is made anew/);
    const linked = join(second.packageDirectory, 'deps', 'lib', 'libtensorflow_cc.so.2');
    expect(readFileSync(linked, 'latin1')).toContain('tensorflow 2.21.0');
  });

  it('lets the package of a project outlive the cache', async () => {
    await install();
    rmSync(machine.env.METAAPO_HOME!, { recursive: true });
    expect(await install()).toMatchObject({ status: 'already-installed' });
  });

  it('makes everything anew when forced', async () => {
    await install();
    const once = machine.calls();
    await install({ force: true });
    expect(machine.calls()).toEqual([...once, ...once]);
  });

  it('replaces an installation that does not work, and an old libtensorflow', async () => {
    await install();
    writeFileSync(join(machine.packageDirectory, 'lib', 'napi-v8', 'tfjs_binding.node'), '\x7fELF bad');
    const lines: string[] = [];
    expect(await install({ report: (line) => lines.push(line) })).toMatchObject({ status: 'installed' });
    expect(lines.join('\n')).toContain('does not work');
    rmSync(join(machine.packageDirectory, 'deps', 'lib', 'libtensorflow_cc.so.2'));
    write(join(machine.packageDirectory, 'deps', 'lib', 'libtensorflow_cc.so.2'), '\x7fELF tensorflow 2.9.1');
    expect(await install()).toMatchObject({ status: 'installed', libtensorflow: '2.21.0' });
  });

  it('works offline from a wheel with a prebuilt binding', async () => {
    machine.removeProgram('python3');
    machine.removeProgram('g++');
    const wheel = writeWheel(join(machine.root, 'given.whl'), tensorflowFiles({ name: 'tensorflow' }));
    write(join(machine.root, 'prebuilt.node'), '\x7fELF good');
    expect(await install({ wheel, binding: join(machine.root, 'prebuilt.node') })).toMatchObject({
      status: 'installed',
    });
    expect(machine.calls()).toEqual([]);
  });

  it('works offline from site-packages, named or asked for', async () => {
    const site = join(machine.root, 'site-packages');
    for (const [path, content] of Object.entries(tensorflowFiles())) write(join(site, path), content);
    write(join(site, 'tensorflow', '__init__.py'), '');
    expect(await install({ fromPython: site })).toMatchObject({ status: 'installed' });
    machine.program('other-python', `echo ${join(site, 'tensorflow', '__init__.py')}`);
    const second = machine.addProject('second');
    const fromPython = join(machine.root, 'bin', 'other-python');
    expect(await install({ fromPython, searchFrom: [second.project], force: true })).toMatchObject({
      status: 'installed',
    });
    expect(machine.calls()).not.toContain('python3');
  });

  describe('with CUDA', () => {
    it('takes the nvidia wheels beside the given one, the others from pip, and says that the CPU is used', async () => {
      const gpu = machine.addProject('gpu', '@tensorflow/tfjs-node-gpu');
      const beside = join(machine.root, 'beside');
      write(join(beside, 'note.txt'), '');
      const wheel = writeWheel(join(beside, 'tensorflow.whl'), tensorflowFiles({ name: 'tensorflow' }));
      writeWheel(join(beside, 'nvidia_cublas_cu12-12.9.0-py3-none-manylinux_2_27_x86_64.whl'), nvidiaFiles('cublas'));
      const cudnn = join(machine.env.WHEELS!, 'nvidia_cudnn_cu12-9.9.0-py3-none-manylinux_2_27_x86_64.whl');
      writeWheel(cudnn, nvidiaFiles('cudnn'));
      const result = await install({ gpu: true, wheel, searchFrom: [gpu.project] });
      expect(result).toMatchObject({ id: 'tensorflow-gpu', status: 'installed', usesGpu: false });
      expect(result.summary).toContain('on the CPU, since TensorFlow found no usable GPU');
      const nvidia = join(gpu.packageDirectory, 'deps', 'nvidia');
      expect(readFileSync(join(nvidia, 'cublas', 'lib', 'libcublas.so.12'), 'latin1')).toBe('\x7fELF cublas');
      expect(readFileSync(join(nvidia, 'cudnn', 'lib', 'libcudnn.so.12'), 'latin1')).toBe('\x7fELF cudnn');
      expect(existsSync(join(nvidia, 'cublas', 'include'))).toBe(false);
      expect(statSync(join(nvidia, 'cublas', 'bin', 'cublas-tool')).mode & 0o111).toBe(0o111);
      expect(await install({ gpu: true, searchFrom: [gpu.project] })).toMatchObject({ status: 'already-installed' });
    });

    it('refuses a wheel that is built without it', async () => {
      const { project } = machine.addProject('gpu', '@tensorflow/tfjs-node-gpu');
      const wheel = writeWheel(join(machine.root, 'cpu.whl'), tensorflowFiles());
      await expect(install({ gpu: true, wheel, searchFrom: [project] })).rejects.toThrow(/built without CUDA/);
    });
  });

  it('refuses two sources at once, and a flag for wheels where there are none', async () => {
    await expect(install({ wheel: 'a', fromPython: 'b' })).rejects.toThrow(/one of --wheel and --from-python/);
    await expect(install({ allowUnknownWheel: true, fromPython: 'b' })).rejects.toThrow(/no wheel is read/);
  });

  describe('with wheels that are not known', () => {
    const atPip = (): string =>
      join(machine.env.WHEELS!, 'tensorflow_cpu-2.21.0-cp312-cp312-manylinux_2_27_x86_64.whl');

    it('asks pip for exact versions with their checksums, and for nothing else', async () => {
      const known = machine.knownWheels();
      await install();
      expect(machine.requirements()).toEqual([
        `tensorflow-cpu==2.21.0 --hash=sha256:${known['tensorflow-cpu']!.sha256[0]}`,
      ]);
    });

    it('refuses what an index gives in the place of a known one', async () => {
      const knownWheels = machine.knownWheels();
      writeWheel(atPip(), { ...tensorflowFiles(), 'tensorflow/libtensorflow_cc.so.2': '\x7fELF another 2.21.0' });
      await expect(install({ knownWheels })).rejects.toThrow(/none of the wheels .* sha256 .*--allow-unknown-wheel/);
    });

    it('refuses a given one, and a CUDA wheel beside it', async () => {
      const gpu = machine.addProject('gpu', '@tensorflow/tfjs-node-gpu');
      const beside = join(machine.root, 'beside');
      write(join(beside, 'note.txt'), '');
      const wheel = writeWheel(join(beside, 'tensorflow.whl'), tensorflowFiles({ name: 'tensorflow' }));
      const options = { gpu: true, wheel, searchFrom: [gpu.project] };
      await expect(install({ ...options, knownWheels: undefined })).rejects.toThrow(
        /tensorflow\.whl.*none of the wheels/,
      );
      const knownWheels = machine.knownWheels();
      for (const part of ['cublas', 'cudnn']) {
        writeWheel(join(beside, `nvidia_${part}_cu12-12.9.0-py3-none-manylinux_2_27_x86_64.whl`), nvidiaFiles(part));
      }
      await expect(install({ ...options, knownWheels })).rejects.toThrow(/nvidia_cublas.*none of the wheels/);
    });

    it('takes them when it is told to, and says which', async () => {
      const lines: string[] = [];
      const report = (line: string): void => void lines.push(line);
      await install({ allowUnknownWheel: true, knownWheels: undefined, report });
      expect(lines.join('\n')).toMatch(/tensorflow_cpu-2\.21\.0\S+ \(sha256 [0-9a-f]{64}\) is none of the wheels/);
      expect(machine.requirements()).toEqual(['tensorflow-cpu==2.21.0']);
    });
  });
});
