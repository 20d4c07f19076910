import type { GenerationRequest } from '@metaapo/core/contracts';
import { seedOf } from '@metaapo/core/numerics';
import { writeAtomically } from '@metaapo/core/storage';
import { type PromptRow, readPrompts, resolveDataFiles, tokenizePrompt } from '@metaapo/data';
import { type BackendId, selectBackend } from '@metaapo/engine';
import { onInterruption } from '../terminal/interruption.js';
import { createProgress } from '../terminal/progress.js';
import { openTextModel, type Sources } from '../training/open-models.js';

/** Flags of `metaapo generate`. */
export interface GenerateFlags {
  readonly model: string;
  readonly adapter?: string;
  readonly data: string;
  readonly split?: string;
  readonly output: string;
  readonly n: number;
  readonly temperature: number;
  readonly topP?: number;
  readonly topK?: number;
  readonly minP?: number;
  readonly repetitionPenalty?: number;
  readonly maxNewTokens: number;
  readonly seed: number;
  readonly cachedTokens: number;
  readonly backend?: BackendId;
  readonly revision?: string;
}

/** Runs `metaapo generate`. The output appears when it is complete; its lines are in input order. */
export async function generateCommand(flags: GenerateFlags): Promise<void> {
  const { signal, release } = onInterruption();
  const report = (line: string): void => void process.stderr.write(`${line}\n`);
  const sources: Sources = { revision: flags.revision, report, signal };
  report(`Backend: ${(await selectBackend(flags.backend === undefined ? {} : { prefer: flags.backend })).reason}`);
  const { cachedTokens, adapter } = flags;
  const { model, tokenizer, eosTokenIds } = await openTextModel(flags.model, sources, { cachedTokens, adapter });
  const progress = createProgress('generate');
  try {
    const rows: PromptRow[] = [];
    for await (const row of readPrompts(await resolveDataFiles(flags.data, { ...sources, split: flags.split }))) {
      rows.push(row);
    }
    const requests = rows.map(
      (row, index): GenerationRequest => ({
        prompt: tokenizePrompt(row, tokenizer, model.config.vocabularySize),
        count: flags.n,
        maxNewTokens: flags.maxNewTokens,
        stopTokenIds: eosTokenIds,
        seed: seedOf(['generate', flags.seed, index]),
        temperature: flags.temperature,
        topP: flags.topP,
        topK: flags.topK,
        minP: flags.minP,
        repetitionPenalty: flags.repetitionPenalty,
      }),
    );
    const lines: string[][] = [];
    let done = 0;
    for await (const { request, generations } of model.generate!(requests, signal)) {
      lines[request] = generations.map(({ tokens, finishReason }, sample) =>
        JSON.stringify({
          row: request,
          sample,
          response: tokenizer?.decode(tokens) ?? '',
          response_ids: [...tokens],
          finish_reason: finishReason,
        }),
      );
      progress.update(++done, rows.length);
    }
    await writeAtomically(flags.output, `${lines.flat().join('\n')}\n`);
    process.stdout.write(`${rows.length} prompts, ${lines.flat().length} responses: ${flags.output}\n`);
  } finally {
    progress.end();
    model.dispose();
    release();
  }
}
