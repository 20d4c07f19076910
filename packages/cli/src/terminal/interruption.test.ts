import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, it, onTestFinished } from 'vitest';

const module = (path: string): string => JSON.stringify(fileURLToPath(new URL(path, import.meta.url)));
const IMPORTS = `
import { onInterruption } from ${module('./interruption.ts')};
import { withinTime } from ${module('../../../core/src/storage/within-time.ts')};
const { signal, begin, release } = onInterruption();
const say = (text) => process.stderr.write(text + '\\n');
const forEver = () => { for (;;); };
const template = () => withinTime(() => { say('busy'); forEver(); }, { where: 'here', what: 'it', limitMs: 600_000 });
const wait = setInterval(() => undefined, 1000);
`;

/** A process that runs a script after these imports, and what it says on standard error. */
function start(script: string): { readonly child: ChildProcess; hears(word: string): Promise<void> } {
  const cwd = fileURLToPath(new URL('../../../..', import.meta.url));
  const input = ['--import', 'tsx', '--input-type=module', '-e', `${IMPORTS}${script}`];
  const child = spawn(process.execPath, input, { cwd, stdio: ['ignore', 'inherit', 'pipe'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  let said = '';
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  return {
    child,
    async hears(word) {
      while (!said.includes(word)) await once(child.stderr!, 'data');
    },
  };
}

async function started(script: string): Promise<ReturnType<typeof start>> {
  const process = start(script);
  await process.hears('busy');
  return process;
}

const endOf = async (child: ChildProcess): Promise<unknown> => {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  return child.signalCode ?? child.exitCode;
};

it.each(['SIGTERM', 'SIGHUP'] as const)('%s ends a process at once whose template does not end', async (name) => {
  const { child } = await started('template();');
  child.kill(name);
  expect(await endOf(child)).toBe(name);
});

it('Ctrl-C stops a template that does not end with an error', async () => {
  const { child } = await started(`
    try { template(); } catch (error) { process.exit(error.code === 'interrupted' ? 130 : 1); }`);
  child.kill('SIGINT');
  expect(await endOf(child)).toBe(130);
});

it.each(['SIGINT', 'SIGTERM'] as const)('%s asks for the end once there is something to save', async (name) => {
  const { child } = await started(`
    begin();
    signal.addEventListener('abort', () => { release(); clearInterval(wait); process.exitCode = 7; });
    say('busy');`);
  child.kill(name);
  expect(await endOf(child)).toBe(7);
});

it.each(['SIGINT', 'SIGTERM'] as const)('a second %s ends a process at once that computes', async (name) => {
  const { child, hears } = await started(`
    begin();
    signal.addEventListener('abort', () => { say('one more step'); forEver(); });
    say('busy');`);
  child.kill('SIGTERM');
  await hears('one more step');
  child.kill(name);
  expect(await endOf(child)).toBe(name);
});

it('a terminal that closes twice asks once', async () => {
  const { child } = await started(`
    begin();
    signal.addEventListener('abort', () => {
      process.kill(process.pid, 'SIGHUP');
      setTimeout(() => process.exit(7), 100);
    });
    say('busy');`);
  child.kill('SIGHUP');
  expect(await endOf(child)).toBe(7);
});
