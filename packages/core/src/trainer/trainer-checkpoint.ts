import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type LossState,
  MetaapoError,
  type MetaLearnerState,
  type StateArray,
  type TrainableModel,
} from '../contracts/index.js';
import { readArrays, recoverDirectory, replaceDirectory, writeArrays } from '../storage/index.js';
import type { ChosenStart } from './chosen-fall.js';
import type { BufferedRows } from './meta-buffer.js';
import type { TrainerState } from './trainer-state.js';

const FORMAT = 2;

/** What a checkpoint has to fit: a hash of everything that decides the run's numbers. */
export interface CheckpointKey {
  readonly recipe: string;
  readonly data: string;
}

interface Progress extends CheckpointKey {
  readonly format: number;
  readonly step: number;
  readonly optimizerStep: number;
  readonly numTokens: number;
  readonly hasMetaLearner: boolean;
  readonly lossState?: LossState | undefined;
  readonly chosenStart?: ChosenStart | undefined;
}

const FILES = { model: 'model-state', meta: 'meta-state.safetensors', progress: 'progress.json' } as const;

/** Writes model, optimizer and trainer state, atomically, in the place of an earlier checkpoint. */
export function saveTrainerCheckpoint(
  directory: string,
  model: TrainableModel,
  state: TrainerState,
  key: CheckpointKey,
): Promise<void> {
  const { step, optimizerStep, numTokens, metaLearner, lossState, chosenStart } = state;
  const hasMetaLearner = metaLearner !== undefined;
  const counts = { step, optimizerStep, numTokens };
  const progress: Progress = { format: FORMAT, ...counts, hasMetaLearner, lossState, chosenStart, ...key };
  return replaceDirectory(directory, async (fresh) => {
    await model.saveState(join(fresh, FILES.model));
    if (hasMetaLearner)
      await writeArrays(join(fresh, FILES.meta), { ...metaLearner, ...bufferArrays(state.metaBuffer) });
    await writeFile(join(fresh, FILES.progress), `${JSON.stringify(progress, null, 2)}\n`);
  });
}

/**
 * Restores what {@link saveTrainerCheckpoint} wrote: the model in place, the rest returned.
 * @throws MetaapoError with code `checkpoint` when there is none or it is damaged, `config` when it belongs to another run
 */
export async function loadTrainerCheckpoint(
  directory: string,
  model: TrainableModel,
  key: CheckpointKey,
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
  await model.loadState(join(directory, FILES.model));
  const arrays = progress.hasMetaLearner ? await readArrays(join(directory, FILES.meta)) : {};
  const { step, optimizerStep, numTokens, lossState, chosenStart } = progress;
  const metaLearner = progress.hasMetaLearner ? withoutBuffer(arrays) : undefined;
  return { step, optimizerStep, numTokens, metaLearner, metaBuffer: bufferFrom(arrays), lossState, chosenStart };
}

async function readProgress(directory: string): Promise<Progress> {
  const file = join(directory, FILES.progress);
  try {
    const progress = JSON.parse(await readFile(file, 'utf8')) as Progress;
    if (progress.format === FORMAT) return progress;
    throw new Error(`format ${progress.format}`);
  } catch (cause) {
    throw new MetaapoError('checkpoint', 'there is no checkpoint to resume from', {
      where: file,
      cause,
      remedy: 'Start the run again without --resume, in another output directory',
    });
  }
}

const BUFFER = [
  'logSigmoidScore',
  'offlineLoss',
  'onlineLoss',
  'chosenTokens',
  'rejectedTokens',
  'chosenEntropy',
  'rejectedEntropy',
] as const;

function bufferArrays(buffer: BufferedRows): MetaLearnerState {
  return Object.fromEntries(
    BUFFER.flatMap((name): [string, StateArray][] => {
      const values = buffer[name];
      if (values === undefined) return [];
      return [[`buffer/${name}`, { shape: [values.length], values: Float32Array.from(values) }]];
    }),
  );
}

function bufferFrom(arrays: MetaLearnerState): BufferedRows {
  const of = (name: (typeof BUFFER)[number]): Float32Array => arrays[`buffer/${name}`]?.values ?? new Float32Array(0);
  return {
    logSigmoidScore: of('logSigmoidScore'),
    offlineLoss: of('offlineLoss'),
    onlineLoss: of('onlineLoss'),
    chosenTokens: Int32Array.from(of('chosenTokens')),
    rejectedTokens: Int32Array.from(of('rejectedTokens')),
    chosenEntropy: arrays['buffer/chosenEntropy']?.values,
    rejectedEntropy: arrays['buffer/rejectedEntropy']?.values,
  };
}

function withoutBuffer(arrays: MetaLearnerState): MetaLearnerState {
  return Object.fromEntries(Object.entries(arrays).filter(([name]) => !name.startsWith('buffer/')));
}
