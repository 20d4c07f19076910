import { existsSync, readFileSync, rmSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type FakeMachine, fakeMachine } from '../../../test/fake-machine.js';
import { kernelsFile } from '../native-package.js';
import { type InstallResult, installBackend } from './install-backend.js';

const isTheirs = process.platform === 'linux' && process.arch === 'x64';
if (!isTheirs) console.log(`skipped: fused kernels are for Linux x64, and this is ${process.platform} ${process.arch}`);

/** A compiler that does not know an option. */
const without = (option: string, complaint: string): string => `
case "$*" in *${option}*) echo 'error: ${complaint}' >&2; exit 1 ;; esac
while [ $# -gt 0 ]; do [ "$1" = -o ] && out="$2"; shift; done
printf '\\177ELF good' > "$out"`;

describe.skipIf(!isTheirs)('the fused kernels', () => {
  let machine: FakeMachine;
  let lines: string[];
  const install = (): Promise<InstallResult> =>
    installBackend({
      env: machine.env,
      searchFrom: [machine.project],
      knownWheels: machine.knownWheels(),
      report: (line) => lines.push(line),
    });
  const module = (): string => kernelsFile(machine.packageDirectory);
  beforeEach(() => {
    machine = fakeMachine();
    lines = [];
  });
  afterEach(() => machine.remove());

  it('are compiled beside the binding', async () => {
    await install();
    expect(readFileSync(module(), 'latin1')).toBe('\x7fELF good');
    expect(lines).toContain('Compiling the fused kernels');
  });

  it('come to an installation that has none, from the cache', async () => {
    await install();
    rmSync(module());
    machine.removeProgram('g++');
    expect(await install()).toMatchObject({ status: 'already-installed' });
    expect(existsSync(module())).toBe(true);
  });

  it('leave out the levels of instructions that a compiler does not know', async () => {
    machine.program('g++', without('-mamx-tile', 'unknown option'));
    await install();
    expect(existsSync(module())).toBe(true);
  });

  it('are no condition of the backend: where they cannot be compiled, it says so', async () => {
    machine.program('g++', without('-mavx2', 'no such target'));
    expect(await install()).toMatchObject({ status: 'installed' });
    expect(existsSync(module())).toBe(false);
    const told = 'The fused kernels could not be compiled (error: no such target): programs run without them';
    expect(lines).toContain(told);
  });
});
