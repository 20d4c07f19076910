import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { uniformOf } from '@metaapo/core';
import type { Executor } from '@metaapo/engine';
import { writeRandomModel } from '@metaapo/models';
import { SHAPES } from '../train/shapes.js';

/** What every side of the bench is asked for; paths, numbers and nothing that only one of them knows. */
export interface GenerationWork {
  /** Directory of the model. */
  readonly model: string;
  /** JSON file of prompts, each a list of token ids. */
  readonly prompts: string;
  readonly precision: 'float32' | 'bfloat16';
  /** Responses a prompt, K. */
  readonly samples: number;
  /** New tokens of every response: nothing ends one earlier. */
  readonly newTokens: number;
  /** Timed runs after the warm-up. */
  readonly runs: number;
  /** Of ours; default: the best. */
  readonly executor?: Executor;
}

/** What a side reports. */
export interface GenerationMeasurement {
  /** Seconds of each timed run over all prompts, prefill included. */
  readonly seconds: readonly number[];
  /** New tokens of one run. */
  readonly tokens: number;
  /** Seconds from the process' start to the end of the warm-up. */
  readonly startup: number;
  /** Largest resident set of the process, in bytes. */
  readonly peakBytes: number;
  /** Mean log-probability of the new tokens under the model, to see that all sides draw from one distribution. */
  readonly meanLogprob: number;
  /** Computations that XLA compiled, where it did. */
  readonly compilations?: number;
}

const SHORTEST_PROMPT = 64;
const LONGEST_PROMPT = 128;

/** Writes the random model of a shape where it is not there yet, and random prompts of 64 to 128 tokens. */
export async function preparePrompts(
  name: string,
  count: number,
  directory: string,
): Promise<Pick<GenerationWork, 'model' | 'prompts'>> {
  const shape = SHAPES[name];
  if (shape === undefined) throw new Error(`There is no shape ${name}. Known: ${Object.keys(SHAPES).join(', ')}`);
  const model = join(directory, `model-${name}`);
  if (!existsSync(model)) await writeRandomModel(model, shape.model, 0);
  const vocabulary = Number(shape.model.vocab_size);
  const prompts = Array.from({ length: count }, (_, prompt) => {
    const span = LONGEST_PROMPT - SHORTEST_PROMPT + 1;
    const length = SHORTEST_PROMPT + Math.floor(span * uniformOf(['prompt length', prompt]));
    return Array.from({ length }, (_, at) => 3 + Math.floor((vocabulary - 3) * uniformOf(['prompt', prompt, at])));
  });
  const file = join(directory, `prompts-${name}.json`);
  await writeFile(file, JSON.stringify(prompts));
  return { model, prompts: file };
}
