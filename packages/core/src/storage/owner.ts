import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import { z } from 'zod';

/**
 * What tells a process from every other one, of this machine and of others. A process id alone does not: containers
 * start all of theirs as 1, and after a while every id comes again.
 */
export interface Owner {
  readonly pid: number;
  readonly host: string;
  /** When the process began, in the kernel's ticks since the machine did; absent where the system does not say. */
  readonly startedAt?: string | undefined;
  /** Which start of the machine; absent where the system does not say. */
  readonly boot?: string | undefined;
  /** Which table of process ids the id is from; absent where the system does not say. */
  readonly namespace?: string | undefined;
}

/** What can be said of an owner from here: `unknown` where only its heartbeat tells, see {@link hasStopped}. */
export type Standing = 'alive' | 'gone' | 'unknown';

const text = z.string().max(300);
const schema = z.object({
  pid: z.int().min(1),
  host: text,
  startedAt: text.optional(),
  boot: text.optional(),
  namespace: text.optional(),
});

/** This process. */
export function thisOwner(): Owner {
  return {
    pid: process.pid,
    host: hostname(),
    startedAt: startOf(process.pid),
    boot: whereKnown(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()),
    namespace: whereKnown(() => readlinkSync('/proc/self/ns/pid')),
  };
}

/** The owner that a file names; `undefined` where it names none. */
export function parseOwner(content: string): Owner | undefined {
  return whereKnown(() => schema.safeParse(JSON.parse(content)).data);
}

/** Whether an owner lives. Never throws. */
export function standingOf(owner: Owner, self: Owner = thisOwner()): Standing {
  const { pid, host, startedAt, boot, namespace } = owner;
  if (boot !== self.boot || namespace !== self.namespace) {
    return boot === undefined && host === self.host && !isRunning(pid) ? 'gone' : 'unknown';
  }
  if (boot === undefined && host !== self.host) return 'unknown';
  if (!isRunning(pid)) return 'gone';
  const found = startOf(pid);
  return startedAt === undefined || found === undefined || found === startedAt ? 'alive' : 'gone';
}

/** An owner as a part of a file's name: letters, digits and `_`, and `-` between its fields. */
export function ownerName({ pid, host, startedAt, boot, namespace }: Owner): string {
  const fields = [startedAt, boot?.replaceAll('-', ''), namespace?.replaceAll(/\D/g, ''), host];
  return [pid, ...fields.map((field) => (field ?? '').replaceAll(/[^A-Za-z0-9]/g, '_'))].join('-');
}

/** Whether the owner in a name of {@link ownerName} lives; `unknown` for any other text. */
export function standingOfName(name: string, self: Owner = thisOwner()): Standing {
  const [pid, startedAt, boot, namespace, host] = name.split('-');
  if (host === undefined || !/^[1-9]\d*$/.test(pid!)) return 'unknown';
  const [, , ownBoot, ownNamespace, ownHost] = ownerName(self).split('-');
  const same = (found: string, own: string, exact: string | undefined): string | undefined =>
    found === own ? exact : found === '' ? undefined : `other ${found}`;
  const owner: Owner = {
    pid: Number(pid),
    host: host === ownHost ? self.host : `other ${host}`,
    startedAt: startedAt === '' ? undefined : startedAt,
    boot: same(boot!, ownBoot!, self.boot),
    namespace: same(namespace!, ownNamespace!, self.namespace),
  };
  return standingOf(owner, self);
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

/** Field 22 of the process's status line; the name before it may hold spaces and brackets. */
function startOf(pid: number): string | undefined {
  return whereKnown(() => {
    const line = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return line.slice(line.lastIndexOf(')') + 2).split(' ')[19];
  });
}

function whereKnown<Value>(read: () => Value): Value | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
