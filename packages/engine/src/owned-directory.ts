import { hostname } from 'node:os';

/** What the name of a directory of this process begins with, for `mkdtemp`. */
export function ownedName(prefix: string): string {
  return `${prefix}${process.pid}-${hostname()}-`;
}

/**
 * Whether a name is one that a process of this machine made with {@link ownedName} and left behind. Other machines, and
 * other containers, may share the parent directory: their process ids say nothing here.
 */
export function isLeftBehind(name: string, prefix: string): boolean {
  if (!name.startsWith(prefix)) return false;
  const [processId, ...host] = name.slice(prefix.length).split('-').slice(0, -1);
  return processId !== undefined && host.join('-') === hostname() && !isRunning(Number(processId));
}

function isRunning(processId: number): boolean {
  try {
    process.kill(processId, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}
