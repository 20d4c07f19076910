import { appendFile, readFile } from 'node:fs/promises';
import { MetaapoError, type Metrics } from '../contracts/index.js';
import { writeAtomically } from './write-atomically.js';

/** One line of a metrics file. */
export type MetricsLine = { readonly step: number } & Readonly<Record<string, number | null>>;

/** A file of metrics, one JSON object a line. */
export interface MetricsFile {
  append(step: number, metrics: Metrics): Promise<void>;
}

/** Reads a metrics file; a last line that was cut by a crash is left out, and a missing file has none. */
export async function readMetrics(file: string): Promise<MetricsLine[]> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '';
    throw error;
  });
  const complete = text
    .slice(0, text.lastIndexOf('\n') + 1)
    .split('\n')
    .slice(0, -1);
  return complete.map((line, index) => {
    try {
      return JSON.parse(line) as MetricsLine;
    } catch (cause) {
      throw new MetaapoError('data', 'the line is no JSON', { where: `${file}, line ${index + 1}`, cause });
    }
  });
}

/** Opens a metrics file to go on after `step`; later lines are dropped. */
export async function openMetrics(file: string, step: number): Promise<MetricsFile> {
  const kept = (await readMetrics(file)).filter((line) => line.step <= step);
  await writeAtomically(file, kept.map((line) => `${JSON.stringify(line)}\n`).join(''));
  return {
    append: (at, metrics) => appendFile(file, `${JSON.stringify({ step: at, ...metrics })}\n`),
  };
}
