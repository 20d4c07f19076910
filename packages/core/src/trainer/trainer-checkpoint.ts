import { join } from 'node:path';
import { z } from 'zod';
import { MetaapoError, type TrainedParameters } from '../contracts/index.js';
import {
  readArrays,
  readTextFile,
  recoverDirectory,
  replaceDirectory,
  requireSealed,
  sealDirectory,
  WHOLE_FILE_BYTES,
  writeArrays,
  writeAtomically,
} from '../storage/index.js';
import type { TrainerState } from './trainer-state.js';

const FORMAT = 3;

/** What a checkpoint has to fit: a hash of everything that decides the run's numbers. */
export interface CheckpointKey {
  readonly recipe: string;
  readonly data: string;
  /** What else decides numbers, such as a reference's weights: digests, by what each is called in messages. */
  readonly inputs?: Readonly<Record<string, string>> | undefined;
  /** Order of the rows, see `BatchPlan`: steps are counted in it. */
  readonly order?: string | undefined;
}

/** What a resumed training may be given beside a {@link CheckpointKey}. */
export interface AcceptedChanges {
  /** Other inputs are warned of and accepted. */
  readonly allowChanges?: boolean | undefined;
  readonly warn?: ((text: string) => void) | undefined;
}

const count = z.int().min(0);

const schema = z.object({
  format: z.literal(FORMAT),
  recipe: z.string(),
  data: z.string(),
  inputs: z.record(z.string(), z.string()).optional(),
  order: z.string().optional(),
  step: count,
  optimizerStep: count,
  numTokens: count,
  /** Numbers of the objective; as text where JSON has no such number. */
  numbers: z.record(z.string(), z.union([z.number(), z.enum(['-0', 'NaN', 'Infinity', '-Infinity'])])),
  hasArrays: z.boolean(),
});

type Progress = z.infer<typeof schema>;

const FILES = {
  model: 'model-state',
  arrays: 'objective-state.safetensors',
  progress: 'progress.json',
} as const;

/** Writes model, optimizer and trainer state, atomically, in the place of an earlier checkpoint. */
export function saveTrainerCheckpoint(
  directory: string,
  model: Pick<TrainedParameters, 'saveState'>,
  { step, optimizerStep, numTokens, objective }: TrainerState,
  key: CheckpointKey,
): Promise<void> {
  const numbers = Object.fromEntries(Object.entries(objective.numbers).map(([name, value]) => [name, written(value)]));
  const hasArrays = Object.keys(objective.arrays).length > 0;
  const progress: Progress = { format: FORMAT, step, optimizerStep, numTokens, numbers, hasArrays, ...key };
  return replaceDirectory(directory, async (fresh) => {
    await model.saveState(join(fresh, FILES.model));
    if (hasArrays) await writeArrays(join(fresh, FILES.arrays), objective.arrays);
    await writeAtomically(join(fresh, FILES.progress), `${JSON.stringify(progress, null, 2)}\n`);
    await sealDirectory(fresh);
  });
}

/** A number as JSON brings it back to the bit. */
function written(value: number): Progress['numbers'][string] {
  if (Object.is(value, -0)) return '-0';
  return Number.isFinite(value) ? value : (String(value) as 'NaN');
}

/**
 * Restores what {@link saveTrainerCheckpoint} wrote: the model in place, the rest returned.
 * @throws MetaapoError with code `checkpoint` when there is none or it is damaged, `config` when it belongs to
 * another run, or an input is another one and that is not accepted
 */
export async function loadTrainerCheckpoint(
  directory: string,
  model: Pick<TrainedParameters, 'loadState'>,
  key: CheckpointKey,
  accepted: AcceptedChanges = {},
): Promise<TrainerState> {
  await recoverDirectory(directory);
  const progress = await readProgress(directory);
  for (const name of ['recipe', 'data'] as const) {
    if (progress[name] !== key[name]) {
      throw new MetaapoError('config', `the ${name} has changed since the checkpoint`, {
        where: directory,
        expected: `the ${name} of the interrupted run`,
        remedy: `Restore the ${name}, or start a new run in another output directory`,
      });
    }
  }
  checkOrder(directory, progress, key);
  checkInputs(directory, changedInputs(progress, key), accepted);
  await requireSealed(directory);
  await model.loadState(join(directory, FILES.model));
  const { step, optimizerStep, numTokens } = progress;
  const numbers = Object.fromEntries(Object.entries(progress.numbers).map(([name, value]) => [name, Number(value)]));
  const arrays = progress.hasArrays ? await readArrays(join(directory, FILES.arrays)) : {};
  return { step, optimizerStep, numTokens, objective: { numbers, arrays } };
}

/** Names of the inputs that are there in one of two keys alone, or differ. */
export function changedInputs(
  { inputs: before = {} }: Pick<CheckpointKey, 'inputs'>,
  { inputs: after = {} }: Pick<CheckpointKey, 'inputs'>,
): readonly string[] {
  return Object.keys({ ...before, ...after }).filter((name) => before[name] !== after[name]);
}

/** Where a training stands is a number of steps: in another order of rows some would be left out, or trained twice. */
function checkOrder(where: string, { step, order }: Progress, key: CheckpointKey): void {
  if (step === 0 || order === undefined || key.order === undefined || order === key.order) return;
  throw new MetaapoError('config', 'rows would be left out or trained twice, since the batches are other ones', {
    where,
    expected: order,
    got: key.order,
    remedy:
      'Put batchSize, shuffle and seed back, or start another run with --set output=...; no flag accepts this change',
  });
}

function checkInputs(where: string, changed: readonly string[], { allowChanges, warn }: AcceptedChanges): void {
  if (changed.length === 0) return;
  if (allowChanges) {
    for (const name of changed) warn?.(`changed since the run was started: ${name}`);
    return;
  }
  throw new MetaapoError('config', 'this is not what the run was started with', {
    where,
    got: `changed: ${changed.join('; ')}`,
    remedy: 'Put it back, start another run with --set output=..., or accept the change with --allow-changes',
  });
}

async function readProgress(directory: string): Promise<Progress> {
  const file = join(directory, FILES.progress);
  try {
    return schema.parse(JSON.parse(await readTextFile(file, { mostBytes: WHOLE_FILE_BYTES })));
  } catch (cause) {
    const isMissing = (cause as NodeJS.ErrnoException).code === 'ENOENT';
    throw new MetaapoError('checkpoint', 'there is no checkpoint to resume from', {
      where: file,
      expected: `what a checkpoint of format ${FORMAT} says of its progress`,
      got: isMissing ? 'no such file' : 'something else',
      cause,
      remedy:
        'Restore the checkpoint from a copy, or start the run again without --resume, in another output directory',
    });
  }
}
