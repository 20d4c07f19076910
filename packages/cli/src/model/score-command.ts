import {
  checkLossReads,
  groupOf,
  type PairEntropies,
  type PartRecipe,
  pairEntropies,
  pairScores,
  type Readings,
  type RowLogprobs,
  readRows,
  tokensOf,
} from '@metaapo/core';
import {
  MetaapoError,
  type ModelDescription,
  type ModelSource,
  type TextModel,
  type TokenizedPreference,
} from '@metaapo/core/contracts';
import { writeAtomically } from '@metaapo/core/storage';
import { readPreferences, tokenizePreferences } from '@metaapo/data';
import { composeAlone, say } from '../recipe/compose-parts.js';
import { parsePartFlag } from '../recipe/parse-part-flag.js';
import { onInterruption } from '../terminal/interruption.js';
import { print } from '../terminal/print.js';
import { createProgress } from '../terminal/progress.js';
import { type DataFlags, filesOfFlags } from '../training/data-files.js';
import { formOf, reportRows } from '../training/load-preferences.js';
import { numberedRows } from '../training/numbered-rows.js';
import { type ModelFlags, modelOfFlags } from './model-of-flags.js';
import { describeAs, weightsOf } from './open-model.js';

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
  try {
    const { model } = await composeAlone({ model: modelOfFlags(flags) }, { signal });
    const reference = isReferenceGiven ? await sourceOfReference(flags, signal) : undefined;
    const described = await describeAs(model, 'policy');
    await reference?.describe('policy');
    const { rows, numbers } = await rowsOf(flags, described, signal);
    if (flags.dryRun === true) return await printPlan({ model, reference, rows, loss: loss.id }, flags);
    const policy = await openToRead(model, flags);
    const { logprobs, entropies: sums } = await readAndDispose('policy', policy, rows, flags, signal);
    const entropies = sums && pairEntropies(rows, sums);
    const alone = { ...flags, entropy: false };
    const referred =
      reference &&
      (await readAndDispose('reference', await openToRead(reference, flags), rows, alone, signal)).logprobs;
    const scores = await pairScores(loss, { rows, policy: logprobs, reference: referred });
    const lines = rows.map((row, index) =>
      JSON.stringify({
        row: numbers[row.row],
        ...pairLine(row, logprobs[index]!, entropiesAt(entropies, index)),
        ...(referred && { reference: pairLine(row, referred[index]!) }),
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

async function sourceOfReference(flags: ScoreFlags, signal: AbortSignal): Promise<ModelSource> {
  // The revision is that of the policy.
  const { revision: _, ...named } = flags;
  const model = modelOfFlags({ ...named, model: flags.reference! });
  return (await composeAlone({ model }, { signal })).model;
}

/** The pairs as token ids, and the numbers of all rows that were read. */
async function rowsOf(flags: ScoreFlags, described: ModelDescription, signal: AbortSignal) {
  const sources = { report: say, signal };
  const files = await filesOfFlags(flags, sources);
  const read = await numberedRows(flags, sources, (onBadRow) =>
    readPreferences(files, { ...formOf(flags), signal, onBadRow }),
  );
  const { maxLength, longPrompt, responseEnd } = flags;
  const { tokenizer, eosTokenIds: endTokenIds, vocabularySize } = described;
  const limits = { maxLength, longPrompt, responseEnd, endTokenIds, vocabularySize, onBadRow: read.onBadRow };
  const { rows, report } = await tokenizePreferences(read.rows, tokenizer, limits);
  reportRows('data', report, described, sources);
  read.sayBadRows();
  return { rows, numbers: read.numbers };
}

/** What would be scored, and by what. */
interface ScorePlan {
  readonly model: ModelSource;
  readonly reference: ModelSource | undefined;
  readonly rows: readonly TokenizedPreference[];
  readonly loss: string;
}

async function printPlan({ model, reference, rows, loss }: ScorePlan, { output }: ScoreFlags): Promise<void> {
  const tokens = rows.reduce((sum, row) => sum + tokensOf(groupOf(row)), 0);
  print(`Policy: ${await weightsOf(model)}`);
  if (reference !== undefined) print(`Reference, after the policy: ${await weightsOf(reference)}`);
  print(`${rows.length} pairs of ${tokens} tokens would be scored by loss ${loss}: ${output}`);
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
