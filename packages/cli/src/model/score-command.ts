import {
  checkLossReads,
  type PairEntropies,
  type PartRecipe,
  pairEntropies,
  pairScores,
  type Readings,
  type RowLogprobs,
  readRows,
} from '@metaapo/core';
import { MetaapoError, type ModelSource, type TextModel, type TokenizedPreference } from '@metaapo/core/contracts';
import { writeAtomically } from '@metaapo/core/storage';
import { readPreferences, tokenizePreferences } from '@metaapo/data';
import { composeAlone, say } from '../recipe/compose-parts.js';
import { parsePartFlag } from '../recipe/parse-part-flag.js';
import { onInterruption } from '../terminal/interruption.js';
import { createProgress } from '../terminal/progress.js';
import { type DataFlags, filesOfFlags } from '../training/data-files.js';
import { formOf, reportRows } from '../training/load-preferences.js';
import { type ModelFlags, modelOfFlags } from './model-of-flags.js';

/** Flags of `metaapo score`. */
export interface ScoreFlags extends ModelFlags, DataFlags {
  readonly reference?: string;
  readonly loss?: string;
  readonly entropy?: boolean;
  readonly maxLength: number;
  readonly longPrompt: 'error' | 'drop';
  readonly responseEnd: 'end-of-turn' | 'template-end';
  readonly microBatchTokens: number;
}

/** Runs `metaapo score`. The output appears when it is complete. */
export async function scoreCommand(flags: ScoreFlags): Promise<void> {
  const isReferenceGiven = flags.reference !== undefined;
  const wanted = flags.loss === undefined ? defaultLoss(isReferenceGiven) : parsePartFlag('--loss', flags.loss);
  const { loss } = await composeAlone({ loss: wanted });
  checkLossReads(loss, 'logprobs');
  if (!loss.isReferenceFree && !isReferenceGiven) {
    throw new MetaapoError('config', `loss ${loss.id} needs a reference`, {
      where: '--loss',
      remedy: 'Add --reference, or choose a reference-free loss such as simpo',
    });
  }
  const { signal, release } = onInterruption();
  const sources = { report: say, signal };
  try {
    const { model } = await composeAlone({ model: modelOfFlags(flags) }, { signal });
    const described = await model.describe();
    const { rows, report: counted } = await tokenizePreferences(
      readPreferences(await filesOfFlags(flags, sources), formOf(flags)),
      described.tokenizer,
      {
        maxLength: flags.maxLength,
        longPrompt: flags.longPrompt,
        responseEnd: flags.responseEnd,
        endTokenIds: described.eosTokenIds,
        vocabularySize: described.vocabularySize,
      },
    );
    reportRows('data', counted, described, sources);
    const policy = await openToRead(model, flags);
    const { logprobs, entropies: sums } = await readAndDispose('policy', policy, rows, flags, signal);
    const entropies = sums && pairEntropies(rows, sums);
    const reference = isReferenceGiven
      ? (
          await readAndDispose(
            'reference',
            await openReference(flags, signal),
            rows,
            { ...flags, entropy: false },
            signal,
          )
        ).logprobs
      : undefined;
    const scores = await pairScores(loss, { rows, policy: logprobs, reference });
    const lines = rows.map((row, index) =>
      JSON.stringify({
        row: row.row,
        ...pairLine(row, logprobs[index]!, entropiesAt(entropies, index)),
        ...(reference && { reference: pairLine(row, reference[index]!) }),
        score: scores[index],
      }),
    );
    await writeAtomically(flags.output, `${lines.join('\n')}\n`);
    process.stdout.write(`${rows.length} rows scored: ${flags.output}\n`);
  } finally {
    release();
  }
}

function defaultLoss(isReferenceGiven: boolean): PartRecipe {
  return { id: 'dpo', referenceFree: !isReferenceGiven };
}

async function openReference(flags: ScoreFlags, signal: AbortSignal): Promise<TextModel> {
  const { model } = await composeAlone({ model: modelOfFlags({ ...flags, model: flags.reference! }) }, { signal });
  return openToRead(model, flags);
}

/** A model that is asked and not trained; owned by the caller. */
function openToRead(model: ModelSource, { maxLength }: ScoreFlags): Promise<TextModel> {
  return model.openReference('start', { longestRow: maxLength });
}

async function readAndDispose(
  name: string,
  { model }: TextModel,
  rows: readonly TokenizedPreference[],
  { microBatchTokens, entropy: entropies }: ScoreFlags,
  signal: AbortSignal,
): Promise<Readings> {
  const progress = createProgress(name);
  try {
    return await readRows(model, rows, {
      microBatchTokens,
      entropies,
      progress: (done) => progress.update(done, rows.length),
      signal,
    });
  } catch (error) {
    if (!signal.aborted) throw error;
    throw new MetaapoError('interrupted', 'stopped; nothing was written', { where: 'metaapo score' });
  } finally {
    progress.end();
    model.dispose();
  }
}

/** The fields of both responses of a line; those of entropies where they are known. */
function pairLine(
  row: TokenizedPreference,
  [chosen, rejected]: RowLogprobs,
  entropy?: { readonly chosen: object; readonly rejected: object },
) {
  const side = (sum: number, tokens: number) => ({ sum, mean: sum / tokens, tokens });
  return {
    chosen: { ...side(chosen!, row.chosen.length), ...entropy?.chosen },
    rejected: { ...side(rejected!, row.rejected.length), ...entropy?.rejected },
  };
}

function entropiesAt(entropies: PairEntropies | undefined, index: number) {
  if (entropies === undefined) return undefined;
  const { chosenEntropy, rejectedEntropy } = entropies;
  return { chosen: { entropy: chosenEntropy[index] }, rejected: { entropy: rejectedEntropy[index] } };
}
