import type { TextScorer } from '@metaapo/core/contracts';
import { type ResponseRow, readResponses, resolveDataFiles, tokenizeResponse } from '@metaapo/data';
import { encodeForReward, scoreSequences } from '@metaapo/models';
import { type ModelFlags, modelOfFlags } from '../model/model-of-flags.js';
import { openScorer } from '../model/open-model.js';
import { composeAlone, say } from '../recipe/compose-parts.js';
import { onInterruption } from '../terminal/interruption.js';
import { createProgress } from '../terminal/progress.js';
import { formOf } from '../training/load-preferences.js';
import { type KeptResults, openKeptResults, orKept, resultKey } from './kept-results.js';

/** Flags of `metaapo reward`. */
export interface RewardFlags extends ModelFlags {
  readonly data: string;
  readonly split?: string;
  readonly templateArguments?: Readonly<Record<string, unknown>>;
  readonly columns?: Readonly<Record<string, string | false>>;
  readonly dataConfig?: string;
  readonly output: string;
  readonly overwrite?: boolean;
  readonly batchTokens: number;
}

/** Rows that are scored, and kept, together; batches are made by length among them. */
const ROWS_AT_A_TIME = 512;

/** Runs `metaapo reward`. The output appears when it is complete, in input order; until then its rows are kept beside it. */
export async function rewardCommand(flags: RewardFlags): Promise<void> {
  const { signal, begin, release } = onInterruption();
  const sources = { report: say, signal };
  const { model } = await composeAlone({ model: modelOfFlags(flags) }, signal);
  const loaded = await openScorer(model);
  try {
    const sequences: Int32Array[] = [];
    for await (const row of readResponses(
      await resolveDataFiles(flags.data, { ...sources, split: flags.split, config: flags.dataConfig }),
      formOf(flags),
    )) {
      sequences.push(sequenceOf(row, loaded));
    }
    const kept = await openKeptResults<number>(flags.output);
    const keys = sequences.map((ids) => resultKey(loaded.model.fingerprint, [...ids]));
    begin();
    await orKept(flags.output, signal, () => scoreMissing(sequences, keys, kept, loaded, flags, signal));
    const lines = keys.map((key, row) => JSON.stringify({ row, reward: kept.known.get(key)! }));
    await kept.finish(`${lines.join('\n')}\n`);
    process.stdout.write(`${lines.length} responses scored: ${flags.output}\n`);
  } finally {
    loaded.model.dispose();
    release();
  }
}

/** The ids at whose last token the model scores: those that it was trained with. */
function sequenceOf(row: ResponseRow, { tokenizer, vocabularySize, scoreAt }: TextScorer): Int32Array {
  if (row.form !== 'tokens' && tokenizer !== undefined && scoreAt === 'end-of-turn') {
    return encodeForReward(row, tokenizer, scoreAt);
  }
  const { prompt, response } = tokenizeResponse(row, tokenizer, vocabularySize);
  return Int32Array.of(...prompt, ...response);
}

async function scoreMissing(
  sequences: readonly Int32Array[],
  keys: readonly string[],
  kept: KeptResults<number>,
  { model }: TextScorer,
  { batchTokens }: RewardFlags,
  signal: AbortSignal,
): Promise<void> {
  const missing = [...new Map(keys.map((key, index) => [key, sequences[index]!]))].filter(
    ([key]) => !kept.known.has(key),
  );
  const progress = createProgress('reward');
  try {
    for (let start = 0; start < missing.length; start += ROWS_AT_A_TIME) {
      const part = missing.slice(start, start + ROWS_AT_A_TIME);
      const rewards = await scoreSequences(
        model,
        part.map(([, ids]) => ids),
        batchTokens,
        signal,
      );
      await kept.keep(...part.map(([key], index) => [key, rewards[index]!] as const));
      progress.update(start + part.length, missing.length);
    }
  } finally {
    progress.end();
  }
}
