import { mkdir, open } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join, resolve } from 'node:path';
import type { Metrics, Tracker } from '@metaapo/core/contracts';
import { definePart, parseOptions, TRACKER } from '@metaapo/core/contracts';
import { z } from 'zod';
import { eventRecord, versionRecord } from './event-file.js';

const schema = z.strictObject({
  directory: z
    .string()
    .min(1)
    .max(4096)
    .describe(
      'Directory of the event files, which `tensorboard --logdir` is given; relative to the working directory.',
    ),
});

/** Options of {@link tensorboard}. */
export type TensorboardOptions = z.input<typeof schema>;

/**
 * Writes metrics as TensorBoard event files. Every process writes a file of its own, also when it resumes a run:
 * TensorBoard joins the files of a directory.
 * @throws MetaapoError with code `config` for an option that is unknown or out of bounds
 */
export function tensorboard(options: TensorboardOptions): Tracker {
  const settings = parseOptions('tracker tensorboard', schema, options);
  const name = `events.out.tfevents.${Math.floor(Date.now() / 1000)}.${hostname()}.${process.pid}`;
  const opened = (async () => {
    await mkdir(settings.directory, { recursive: true });
    const handle = await open(join(settings.directory, name), 'a');
    await handle.write(versionRecord(Date.now() / 1000));
    return handle;
  })();
  // Reported by the first call that awaits it.
  opened.catch(() => undefined);
  return {
    id: 'tensorboard',
    options: settings,
    async log(step: number, metrics: Metrics) {
      const handle = await opened;
      await handle.write(eventRecord(Date.now() / 1000, step, metrics));
    },
    async close() {
      await (await opened).close();
    },
  };
}

/** {@link tensorboard} as a part. */
export const tensorboardPart = definePart({
  slot: TRACKER,
  id: 'tensorboard',
  summary: 'TensorBoard event files.',
  options: schema,
  create: (options, { baseDirectory }) => tensorboard({ directory: resolve(baseDirectory, options.directory) }),
});
