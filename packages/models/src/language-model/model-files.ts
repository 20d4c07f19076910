import { join } from 'node:path';
import { MetaapoError } from '@metaapo/core/contracts';
import {
  openSafetensors,
  replaceDirectory,
  requireFinite,
  type SafetensorsFile,
  type TensorToWrite,
  writeSafetensors,
} from '@metaapo/core/storage';
import type { Session } from '@metaapo/engine';
import { type LoraConfig, type ModelName, writeAdapterConfig } from '../checkpoint/adapter.js';
import { SCORE_WEIGHT } from '../checkpoint/expected-tensors.js';
import type { LanguageModelConfig } from '../checkpoint/model-config.js';
import { saveCheckpoint } from '../checkpoint/save-checkpoint.js';
import { copyTokenizerFiles } from '../tokenizer/index.js';
import { continuedStates, type Precision, type ProgramOptions } from '../transformer/index.js';
import type { DeclaredParameters } from './declare-parameters.js';
import { mergedWeights, withExactWeights } from './merged-weights.js';
import type { OpenModel } from './open-model.js';

/** What is written of a model. */
export interface WrittenModel {
  /** Where its weights were read from, and are read again where the session stores them in bfloat16. */
  readonly directory: string;
  /** Where its tokenizer's files are. */
  readonly tokenizer: string;
  /** What an adapter on it names. */
  readonly name: ModelName;
  readonly config: LanguageModelConfig;
  readonly lora: LoraConfig | undefined;
  readonly declared: DeclaredParameters;
  readonly programs: ProgramOptions;
  readonly session: Session;
}

/** What `saveState` writes into its directory. */
const STATE_FILE = 'state.safetensors';

/** Writes a model, and its state for an exact continuation. */
export function modelFiles(model: WrittenModel): Pick<OpenModel, 'save' | 'saveMerged' | 'saveState' | 'loadState'> {
  const { tokenizer, name, lora, declared, session } = model;
  const states = continuedStates(model.programs);
  const saveMerged = (target: string, dtype: Precision = 'float32'): Promise<void> => saveWhole(model, target, dtype);
  return {
    saveMerged,
    async save(target) {
      if (lora === undefined) return saveMerged(target);
      return replaceDirectory(target, async (fresh) => {
        await writeAdapterConfig(fresh, lora, name);
        await copyTokenizerFiles(tokenizer, fresh);
        await writeSafetensors(
          join(fresh, 'adapter_model.safetensors'),
          tensorsOf(declared.adapter, readerOf(session)),
        );
      });
    },
    saveState(target) {
      const shapes = new Map(states.map(({ name, shape }) => [name, shape as number[]]));
      const tensors = tensorsOf(shapes, readerOf(session));
      return replaceDirectory(target, async (fresh) => {
        await writeSafetensors(join(fresh, STATE_FILE), tensors, { format: 'metaapo-state' });
      });
    },
    async loadState(source) {
      const file = await openSafetensors(join(source, STATE_FILE));
      try {
        for (const { name, shape } of states) requireShape(file, name, shape);
        for (const { name } of states) {
          const values = await file.read(name);
          requireFinite(values, name, file.file);
          await session.write(name, values);
        }
      } finally {
        await file.close();
      }
    },
  };
}

/** @throws MetaapoError with code `checkpoint` when a state is not as this model has it */
function requireShape({ file, tensors }: SafetensorsFile, name: string, shape: readonly unknown[]): void {
  const found = tensors.get(name)?.shape;
  if (found !== undefined && String(found) === String(shape)) return;
  throw new MetaapoError('checkpoint', `state ${name} is not one of this model`, {
    where: file,
    expected: `[${shape.join(', ')}]`,
    got: found === undefined ? 'no such state' : `[${found.join(', ')}]`,
    remedy: 'Restore the checkpoint of this run, or start the run again in another output directory',
  });
}

/** Writes a Hugging Face directory, with the adapter's product in the weights. */
function saveWhole(
  { directory, tokenizer, config, declared, session }: WrittenModel,
  target: string,
  dtype: Precision,
): Promise<void> {
  return replaceDirectory(target, (fresh) =>
    withExactWeights(directory, declared, readerOf(session), async (read) => {
      const tensors = tensorsOf(declared.base, mergedWeights(declared, read), dtype);
      const head = config.rewardHead?.tensor ?? SCORE_WEIGHT;
      await saveCheckpoint(
        fresh,
        config,
        tensors.map((tensor) => (tensor.name === SCORE_WEIGHT ? { ...tensor, name: head } : tensor)),
      );
      await copyTokenizerFiles(tokenizer, fresh, directory);
    }),
  );
}

type ReadParameter = (name: string) => Promise<Float32Array>;

const readerOf =
  (session: Session): ReadParameter =>
  async (name) =>
    (await session.read(name)) as Float32Array;

function tensorsOf(
  shapes: ReadonlyMap<string, readonly number[]>,
  read: ReadParameter,
  dtype: Precision = 'float32',
): readonly TensorToWrite[] {
  const type = dtype === 'bfloat16' ? 'BF16' : 'F32';
  return [...shapes].map(([name, shape]) => ({ name, shape, dtype: type, read: () => read(name) }));
}
