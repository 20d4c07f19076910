import { writeAtomically } from '@metaapo/core/storage';
import { type ResponseRow, readResponses, resolveDataFiles } from '@metaapo/data';
import { type BackendId, selectBackend } from '@metaapo/engine';
import { encodeForReward, type LoadedTextModel, refuseLanguageModel, scoreSequences } from '@metaapo/models';
import { onInterruption } from '../terminal/interruption.js';
import { findModel, openTextModel, type Sources } from '../training/open-models.js';

/** Flags of `metaapo reward`. */
export interface RewardFlags {
  readonly model: string;
  readonly data: string;
  readonly split?: string;
  readonly output: string;
  readonly batchTokens: number;
  readonly backend?: BackendId;
  readonly revision?: string;
}

/** Runs `metaapo reward`. The output appears when it is complete; its lines are in input order. */
export async function rewardCommand(flags: RewardFlags): Promise<void> {
  const { signal, release } = onInterruption();
  const report = (line: string): void => void process.stderr.write(`${line}\n`);
  const sources: Sources = { revision: flags.revision, report, signal };
  report(`Backend: ${(await selectBackend(flags.backend === undefined ? {} : { prefer: flags.backend })).reason}`);
  await refuseLanguageModel((await findModel(flags.model, sources)).directory);
  const loaded = await openTextModel(flags.model, sources);
  try {
    const sequences: Int32Array[] = [];
    for await (const row of readResponses(await resolveDataFiles(flags.data, { ...sources, split: flags.split }))) {
      sequences.push(sequenceOf(row, loaded));
    }
    const rewards = await scoreSequences(loaded.model, sequences, flags.batchTokens, signal);
    const lines = Array.from(rewards, (reward, row) => JSON.stringify({ row, reward }));
    await writeAtomically(flags.output, `${lines.join('\n')}\n`);
    process.stdout.write(`${lines.length} responses scored: ${flags.output}\n`);
  } finally {
    loaded.model.dispose();
    release();
  }
}

function sequenceOf(row: ResponseRow, { tokenizer }: LoadedTextModel): Int32Array {
  if (row.form === 'tokens') return Int32Array.of(...row.prompt, ...row.response);
  const response = row.form === 'text' ? row.response : row.response.map(({ content }) => content).join('\n');
  return encodeForReward({ prompt: row.prompt, response }, tokenizer!);
}
