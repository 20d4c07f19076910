import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { VERSION } from './version.js';

/**
 * Writes what is needed to find a fault of ours into a new file that only the user can read: the error with its stack
 * and causes, the command line, and versions.
 * @param clean takes secrets out of a text
 * @returns the file; `undefined` where none can be written
 */
export function writeCrashFile(error: unknown, clean: (text: string) => string): string | undefined {
  const file = join(tmpdir(), `metaapo-crash-${randomUUID()}.txt`);
  const versions = `metaapo ${VERSION}, Node ${process.version}, ${process.platform} ${process.arch}`;
  const content = [versions, process.argv.slice(2).join(' '), ...stacksOf(error)].join('\n\n');
  try {
    writeFileSync(file, `${clean(content)}\n`, { flag: 'wx', mode: 0o600 });
    return file;
  } catch {
    return undefined;
  }
}

const MOST_CAUSES = 10;

function stacksOf(error: unknown): readonly string[] {
  const stacks: string[] = [];
  for (let one = error; one !== undefined && stacks.length < MOST_CAUSES; one = (one as { cause?: unknown })?.cause) {
    stacks.push(one instanceof Error ? (one.stack ?? one.message) : String(one));
    if (!(one instanceof Error)) break;
  }
  return stacks;
}
