import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import * as files from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join, relative } from 'node:path';
import { afterAll, expect, it, vi } from 'vitest';
import { recoverDirectory, replaceDirectory, sealDirectory, writeAtomically } from '../src/storage/index.js';

/** One operation on the disk, as it was asked for. */
type Operation =
  | { readonly kind: 'make'; readonly path: string }
  | { readonly kind: 'write'; readonly path: string; readonly content: string }
  | { readonly kind: 'rename'; readonly path: string; readonly to: string }
  | { readonly kind: 'remove'; readonly path: string }
  | { readonly kind: 'sync'; readonly path: string };

const recorded = vi.hoisted(() => [] as unknown[]);

// Records what the storage asks of the file system, and does it.
vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof files>();
  const note = (kind: string, path: unknown, more: object = {}): void => {
    recorded.push({ kind, path: String(path), ...more });
  };
  return {
    ...real,
    mkdir: async (path: string, options?: object) => {
      const made = await real.mkdir(path, options);
      note('make', path);
      return made;
    },
    writeFile: async (path: string, content: string, options?: object) => {
      await real.writeFile(path, content, options);
      note('write', path, { content: String(content) });
    },
    rename: async (path: string, to: string) => {
      await real.rename(path, to);
      note('rename', path, { to });
    },
    rm: async (path: string, options?: object) => {
      await real.rm(path, options);
      note('remove', path);
    },
    open: async (path: string, flags?: string | number) => {
      const handle = await real.open(path, flags);
      return new Proxy(handle, {
        get(target, name) {
          const value = Reflect.get(target, name);
          if (typeof value !== 'function') return value;
          return async (...args: unknown[]) => {
            const result = await value.apply(target, args);
            if (name === 'sync') note('sync', path);
            if (name === 'writeFile') note('write', path, { content: String(args[0]) });
            return result;
          };
        },
      });
    },
  };
});

const root = mkdtempSync(join(tmpdir(), 'metaapo-power-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** What a disk holds: files by path with their content, directories without one. */
type Disk = ReadonlyMap<string, string | undefined>;

function applied(disk: Disk, operation: Operation, isSynced: boolean): Disk {
  const next = new Map(disk);
  const inside = (path: string): string[] =>
    [...next.keys()].filter((one) => one === path || one.startsWith(`${path}/`));
  if (operation.kind === 'make') next.set(operation.path, undefined);
  // A file that was not synced has its name, and nothing in it.
  if (operation.kind === 'write') next.set(operation.path, isSynced ? operation.content : '');
  if (operation.kind === 'remove') for (const path of inside(operation.path)) next.delete(path);
  if (operation.kind === 'rename') {
    for (const path of inside(operation.path)) {
      next.set(operation.to + path.slice(operation.path.length), next.get(path));
      next.delete(path);
    }
  }
  return next;
}

/**
 * What may be on the disk when the power goes after `cut` operations: names as far as the last synced directory, or
 * further; of files only what was synced.
 */
function* disksAfter(operations: readonly Operation[], cut: number, start: Disk): Generator<Disk> {
  const done = operations.slice(0, cut);
  const isSynced = (index: number): boolean => {
    const { path } = done[index]!;
    return done.some((later, at) => at > index && later.kind === 'sync' && later.path === path);
  };
  const lastSync = done.findLastIndex(
    ({ kind, path }) => kind === 'sync' && !done.some((one) => one.kind === 'write' && one.path === path),
  );
  for (let reached = lastSync + 1; reached <= done.length; reached++) {
    let disk = start;
    for (const [index, operation] of done.slice(0, reached).entries()) disk = applied(disk, operation, isSynced(index));
    yield disk;
  }
}

function written(disk: Disk, place: string): string {
  rmSync(place, { recursive: true, force: true });
  mkdirSync(place);
  for (const [path, content] of [...disk].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const target = join(place, path);
    mkdirSync(content === undefined ? target : dirname(target), { recursive: true });
    if (content !== undefined) writeFileSync(target, content);
  }
  return place;
}

function diskOf(place: string): Disk {
  const entries = readdirSync(place, { recursive: true, withFileTypes: true });
  return new Map(
    entries.map((entry) => {
      const path = join(entry.parentPath, entry.name);
      return [relative(place, path), entry.isFile() ? readFileSync(path, 'utf8') : undefined];
    }),
  );
}

async function operationsOf(place: string, act: () => Promise<void>): Promise<readonly Operation[]> {
  recorded.length = 0;
  await act();
  return (recorded as Operation[])
    .filter(({ path }) => path.startsWith(place))
    .map((operation) => ({
      ...operation,
      path: relative(place, operation.path),
      ...(operation.kind === 'rename' && { to: relative(place, operation.to) }),
    }));
}

it('leaves one of two checkpoints whole, wherever the power goes', async () => {
  const place = join(root, 'run');
  mkdirSync(place);
  const save = (step: string): Promise<void> =>
    replaceDirectory(join(place, 'checkpoint'), async (fresh) => {
      await files.writeFile(join(fresh, 'state'), step.repeat(9));
      await files.writeFile(join(fresh, 'progress.json'), step);
      await sealDirectory(fresh);
    });
  await save('1');
  const start = diskOf(place);
  const operations = await operationsOf(place, () => save('2'));
  expect(operations.length).toBeGreaterThan(5);
  const seen = new Set<string>();
  for (let cut = 0; cut <= operations.length; cut++) {
    for (const disk of disksAfter(operations, cut, start)) {
      const target = join(written(disk, join(root, 'after')), 'checkpoint');
      // The process that was saving is gone with the power.
      for (const side of readdirSync(join(root, 'after')).filter((name) => name.startsWith('.metaapo-'))) {
        const marker = join(root, 'after', side, 'replaces.json');
        if (existsSync(marker) && readFileSync(marker, 'utf8') !== '') {
          writeFileSync(marker, JSON.stringify({ ...JSON.parse(readFileSync(marker, 'utf8')), boot: 'before' }));
        }
      }
      await recoverDirectory(target);
      const progress = readFileSync(join(target, 'progress.json'), 'utf8');
      expect(['1', '2']).toContain(progress);
      expect(readFileSync(join(target, 'state'), 'utf8')).toBe(progress.repeat(9));
      seen.add(progress);
    }
  }
  expect([...seen].sort()).toEqual(['1', '2']);
});

it('leaves the old or the new file whole, wherever the power goes', async () => {
  const place = join(root, 'file');
  mkdirSync(place);
  const file = join(place, 'recipe.yaml');
  await writeAtomically(file, 'old');
  const start = diskOf(place);
  const operations = await operationsOf(place, () => writeAtomically(file, 'new'));
  for (let cut = 0; cut <= operations.length; cut++) {
    for (const disk of disksAfter(operations, cut, start)) {
      expect(['old', 'new']).toContain(disk.get(basename(file)));
    }
  }
});
