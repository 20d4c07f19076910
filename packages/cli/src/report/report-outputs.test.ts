import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { writeReport } from './write-report.js';

it('replaces no file that the run needs, also where files may be replaced', async () => {
  const run = mkdtempSync(join(tmpdir(), 'metaapo-report-'));
  onTestFinished(() => rmSync(run, { recursive: true, force: true }));
  mkdirSync(join(run, 'model'));
  const needed = ['journal.jsonl', 'metrics.jsonl', 'recipe.yaml', 'model/config.json'];
  for (const name of needed) writeFileSync(join(run, name), '');
  for (const name of needed) {
    const output = join(run, name);
    await expect(writeReport([run], { output, overwrite: true })).rejects.toThrow(/is, holds or lies in what is read/);
    expect(readFileSync(output, 'utf8')).toBe('');
  }
});
