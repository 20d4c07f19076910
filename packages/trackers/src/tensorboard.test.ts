import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { tensorboard } from './index.js';

const directory = mkdtempSync(join(tmpdir(), 'metaapo-tensorboard-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const READ = `
import json, sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
events = EventAccumulator(sys.argv[1]).Reload()
print(json.dumps({tag: [[e.step, e.value] for e in events.Scalars(tag)] for tag in events.Tags()['scalars']}))
`;

async function write(target: string): Promise<string> {
  const tracker = tensorboard({ directory: target });
  await tracker.log(1, { loss: 0.5, 'rewards/margins': -0.25 });
  await tracker.log(300, { loss: 0.125 });
  await tracker.close();
  const [file] = readdirSync(target);
  return join(target, file!);
}

describe('tensorboard', () => {
  it('writes framed records that begin with the version', async () => {
    const bytes = readFileSync(await write(join(directory, 'framed')));
    // The frame of the version event: 24 bytes of data, and the checksum of that length as TensorFlow writes it.
    expect(bytes.readBigUInt64LE(0)).toBe(24n);
    expect(bytes.subarray(8, 12).toString('hex')).toBe('a37f4b22');
    expect(bytes.subarray(12, 36).toString('latin1')).toContain('brain.Event:2');
  });

  it('is read by TensorBoard itself', async (context) => {
    await write(join(directory, 'real'));
    const python = process.env.PYTHON ?? 'python3';
    const read = spawnSync(python, ['-c', READ, join(directory, 'real')], { encoding: 'utf8' });
    if (/No module named 'tensorboard'|ENOENT/.test(`${read.stderr}${read.error}`)) {
      return context.skip(`${python} has no tensorboard; set PYTHON to one that has`);
    }
    expect(JSON.parse(read.stdout.trim().split('\n').at(-1)!)).toEqual({
      loss: [
        [1, 0.5],
        [300, 0.125],
      ],
      'rewards/margins': [[1, -0.25]],
    });
  });

  it('refuses unknown options', () => {
    expect(() => tensorboard({ directory: 'x', folder: 'y' } as never)).toThrow('folder');
  });
});
