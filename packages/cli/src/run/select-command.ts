import { type ScoredRow, selectPrompts } from '@metaapo/core';
import { MetaapoError } from '@metaapo/core/contracts';
import { writeAtomically } from '@metaapo/core/storage';
import { readRows } from '@metaapo/data';
import { z } from 'zod';
import { composeAlone } from '../recipe/compose-parts.js';
import { parsePartFlag } from '../recipe/parse-part-flag.js';

/** Flags of `metaapo select`. */
export interface SelectFlags {
  readonly scores: string;
  readonly output: string;
  readonly overwrite?: boolean;
  readonly metaLearner: string;
  readonly selection: string;
  readonly limit?: number;
  readonly seed: number;
  readonly iteration: number;
  /** Whether to say alone what would be selected. */
  readonly dryRun?: boolean;
}

const response = z.looseObject({ tokens: z.int().positive(), entropy: z.number().optional() });

const line = z.looseObject({
  row: z.int().min(0),
  score: z.number(),
  chosen: response,
  rejected: response,
});

/** Runs `metaapo select`. The output appears when it is complete; its lines are in input order. */
export async function selectCommand(flags: SelectFlags): Promise<void> {
  const { objective, selection } = await composeAlone({
    objective: { id: 'preference', metaLearner: parsePartFlag('--meta-learner', flags.metaLearner) },
    selection: parsePartFlag('--selection', flags.selection),
  });
  const rows = await readScores(flags.scores);
  const { readsEntropy, weights: weigh } = objective.scoring!;
  if (readsEntropy) requireEntropies(rows, flags.scores);
  const state = objective.initialState(flags.seed);
  const { weights, selected } = selectPrompts({
    rule: selection,
    weigh: (features) => weigh!(state, features),
    rows,
    seed: flags.seed,
    iteration: flags.iteration,
    limit: flags.limit,
  });
  if (flags.dryRun === true) {
    process.stdout.write(`${selected.length} of ${rows.length} rows would be selected: ${flags.output}\n`);
    return;
  }
  const chosen = new Set(selected);
  const lines = rows.map(({ row }, index) =>
    JSON.stringify({ row, weight: weights![index], selected: chosen.has(index) }),
  );
  await writeAtomically(flags.output, lines.map((text) => `${text}\n`).join(''));
  process.stdout.write(`${selected.length} of ${rows.length} rows selected: ${flags.output}\n`);
}

function requireEntropies(rows: readonly ScoredRow[], file: string): void {
  const lacking = rows.find((row) => row.chosenEntropy === undefined || row.rejectedEntropy === undefined);
  if (lacking === undefined) return;
  throw new MetaapoError('data', 'the meta-learner reads entropies, and a line has none', {
    where: `${file}, the line of row ${lacking.row}`,
    expected: 'chosen.entropy and rejected.entropy',
    remedy: 'Write the scores with `metaapo score --entropy`',
  });
}

async function readScores(file: string): Promise<ScoredRow[]> {
  const rows: ScoredRow[] = [];
  for await (const { row: origin, values } of readRows(file)) {
    const { data, error } = line.safeParse(values);
    if (data === undefined) {
      const [issue] = error.issues;
      throw new MetaapoError('data', `${issue!.path.join('.') || 'the row'}: ${issue!.message}`, {
        where: `${file}, row ${origin}`,
        expected: 'a line of `metaapo score`',
        remedy: 'Write the scores with `metaapo score --output FILE`',
      });
    }
    const { row, score, chosen, rejected } = data;
    rows.push({
      row,
      score,
      chosenTokens: chosen.tokens,
      rejectedTokens: rejected.tokens,
      chosenEntropy: chosen.entropy,
      rejectedEntropy: rejected.entropy,
    });
  }
  return rows;
}
