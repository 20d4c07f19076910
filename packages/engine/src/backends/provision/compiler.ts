import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { BindingCompiler } from '../native-targets.js';
import { LIBTENSORFLOW_VERSION } from './locations.js';
import type { Host } from './platform.js';
import { type CommandContext, type CommandResult, runCommand } from './run-command.js';

/** What became of a compilation: by which compiler, or which were looked for in vain. */
export type Compilation =
  | { readonly compiler: string; readonly result: CommandResult }
  | { readonly missing: readonly string[] };

/** Runs the first compiler that is there: the one that CXX names, or those that a system usually has. */
export async function runCompiler(
  { commands }: Pick<BindingCompiler, 'commands'>,
  parameters: readonly string[],
  context: CommandContext,
): Promise<Compilation> {
  const compilers = context.env.CXX ? [context.env.CXX] : commands;
  for (const compiler of compilers) {
    const result = await runCommand(compiler, parameters, context);
    if (result.end !== 'missing') return { compiler, result };
  }
  return { missing: compilers };
}

/** The folder of Node-API's headers. */
export function nodeHeaders(): string {
  return dirname(createRequire(import.meta.url).resolve('node-api-headers/include/node_api.h'));
}

/** What compiled files are kept for: a host, and where they are kept. */
export interface CompiledFor {
  readonly home: string;
  readonly host: Host;
}

/** Names and contents of the C++ files in a folder, in the order of their names. */
export async function readSources(directory: string): Promise<readonly (readonly [string, Buffer])[]> {
  const names = (await readdir(directory)).filter((name) => /\.(cc|h)$/.test(name)).sort();
  return Promise.all(names.map(async (name) => [name, await readFile(join(directory, name))] as const));
}

/**
 * Where a compiled file is kept: one a set of sources, flags and libraries, since another version of any is another file.
 * @param sources whatever it is compiled from
 */
export function compiledFile(
  { home, host }: CompiledFor,
  { name, flags }: { readonly name: string; readonly flags: readonly string[] },
  sources: readonly (string | Buffer)[],
): string {
  const hash = createHash('sha256').update([LIBTENSORFLOW_VERSION, host.target.id, host.runtime, ...flags].join('\n'));
  for (const source of sources) hash.update(source);
  return join(home, 'bindings', hash.digest('hex').slice(0, 16), name);
}
