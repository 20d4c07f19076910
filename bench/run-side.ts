import { spawnSync } from 'node:child_process';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildSync } from 'esbuild';

const here = fileURLToPath(new URL('.', import.meta.url));

/**
 * Compiles a TypeScript side, so that plain node runs it on the built packages: tsx would count as its time and memory.
 * @param script relative to this directory
 * @returns the compiled file
 */
export function compileSide(script: string): string {
  const outfile = join(
    here,
    '..',
    'node_modules',
    '.cache',
    'metaapo-bench',
    `${script.replace('/', '-').replace(/\.ts$/, '')}.mjs`,
  );
  // Without the workspace's tsconfig, whose paths lead to the packages' sources.
  const plain = { tsconfigRaw: '{}', packages: 'external', bundle: true, platform: 'node', format: 'esm' } as const;
  buildSync({ ...plain, entryPoints: [join(here, script)], outfile });
  return outfile;
}

/**
 * What one side of a bench reports, run in a process of its own: the JSON in the last line of its output.
 * @param script a file, relative to this directory
 * @throws Error with the end of what the side wrote to its standard error
 */
export function runSide<Report>(command: string, script: string, request: Readonly<Record<string, unknown>>): Report {
  const result = spawnSync(command, [resolve(here, script), JSON.stringify(request)], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    maxBuffer: 2 ** 28,
  });
  const line = result.stdout?.trim().split('\n').at(-1);
  if (result.status === 0 && line) return JSON.parse(line) as Report;
  const reason = result.error?.message ?? (result.signal === null ? '' : `ended by ${result.signal}`);
  throw new Error(`${command} ${script} failed: ${reason}\n${result.stderr?.slice(-2000) ?? ''}`);
}

/**
 * Runs sides by turns, so that all of them meet the machine as it is at one time.
 * @param sides by name; one that gives undefined cannot be measured, and is left out
 * @returns the reports of each side, a round each
 */
export function runByTurns<Report>(
  sides: ReadonlyMap<string, () => Report | undefined>,
  rounds: number,
): ReadonlyMap<string, readonly Report[]> {
  const reports = new Map([...sides.keys()].map((name): [string, Report[]] => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (const [name, past] of reports) {
      const report = sides.get(name)!();
      if (report === undefined) reports.delete(name);
      else past.push(report);
    }
  }
  return reports;
}
