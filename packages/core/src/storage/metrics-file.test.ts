import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { scratchDirectory } from '../../test/scratch-directory.js';
import { openMetrics, readMetrics } from './index.js';

const file = scratchDirectory();

describe('metrics', () => {
  it('are no file of one line without an end', async () => {
    const path = file('endless.jsonl');
    writeFileSync(path, '');
    truncateSync(path, 2 ** 28 + 1);
    await expect(readMetrics(path)).rejects.toThrow(/a line has no end. Expected lines of at most/);
  });

  it('go on from a step, without the lines after it', async () => {
    const path = file('metrics.jsonl');
    const first = await openMetrics(path, 0);
    for (const step of [1, 2, 3]) await first.append(step, { loss: step });
    const second = await openMetrics(path, 2);
    await second.append(3, { loss: 30 });
    const losses = readFileSync(path, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).loss);
    expect(losses).toEqual([1, 2, 30]);
  });

  it.each(['{"step":"1"}', '{"step":1,"loss":"low"}', '[1]', 'null', '{"step":', '{"step":-1}'])(
    'are no lines such as %s',
    async (line) => {
      writeFileSync(file('odd.jsonl'), `{"step":1}\n${line}\n{"step":2}\n`);
      await expect(readMetrics(file('odd.jsonl'))).rejects.toThrow(/odd\.jsonl, line 2: .*Restore/);
    },
  );
});
