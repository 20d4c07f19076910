import { z } from 'zod';
import { MetaapoError, type Metrics } from '../contracts/index.js';
import { openHeld } from './held-file.js';
import { linesOf } from './lines-of.js';
import { writeAtomically } from './write-atomically.js';

/** One line of a metrics file. */
export type MetricsLine = { readonly step: number } & Readonly<Record<string, number | null>>;

/** A file of metrics, one JSON object a line. */
export interface MetricsFile {
  append(step: number, metrics: Metrics): Promise<void>;
}

const line = z.object({ step: z.int().min(0) }).catchall(z.number().nullable());

/**
 * Reads a metrics file; a last line that was cut by a crash is left out, and a missing file has none.
 * @throws MetaapoError with code `data` that names a line which holds something else
 */
export async function readMetrics(file: string): Promise<MetricsLine[]> {
  const lines: MetricsLine[] = [];
  for await (const { text, isWhole } of linesOf(file)) {
    if (isWhole) lines.push(parseMetrics(text, `${file}, line ${lines.length + 1}`));
  }
  return lines;
}

/**
 * One line of a metrics file.
 * @throws MetaapoError with code `data` when it is something else
 */
export function parseMetrics(text: string, where: string): MetricsLine {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    // The same paragraph as for JSON of another form.
  }
  const { data } = line.safeParse(parsed);
  if (data !== undefined) return data as MetricsLine;
  throw new MetaapoError('data', 'the line is none of a metrics file', {
    where,
    expected: 'an object of numbers with a step',
    got: text.slice(0, 80),
    remedy: 'Restore the file, or delete the line: only its points in reports are lost',
  });
}

/** Opens a metrics file to go on after `step`; later lines are dropped. */
export async function openMetrics(file: string, step: number): Promise<MetricsFile> {
  const kept = (await readMetrics(file)).filter((one) => one.step <= step);
  await writeAtomically(file, kept.map((one) => `${JSON.stringify(one)}\n`).join(''));
  return {
    append: async (at, metrics) => {
      const handle = await openHeld(file, 'a');
      try {
        await handle.appendFile(`${JSON.stringify({ step: at, ...metrics })}\n`);
        await handle.sync();
      } finally {
        await handle.close();
      }
    },
  };
}
