import { MetaapoError } from '@metaapo/core/contracts';
import { type ResponseRow, readResponses } from '@metaapo/data';
import { say } from '../recipe/compose-parts.js';
import { onInterruption } from '../terminal/interruption.js';
import { createProgress } from '../terminal/progress.js';
import { filesOfFlags } from '../training/data-files.js';
import { formOf } from '../training/load-preferences.js';
import { type KeptResults, openKeptResults, orKept } from './kept-results.js';
import { openRowScorer, type RewardFlags, type RowScorer, type ScoredTogether } from './row-scorer.js';

/** A reward as it is kept: nothing where the scorer gave none that can be read. */
type Reward = number | null;

/** Runs `metaapo reward`. The output appears when it is complete, in input order; until then its rows are kept beside it. */
export async function rewardCommand(flags: RewardFlags): Promise<void> {
  const { output } = flags;
  const { signal, begin, release } = onInterruption();
  let scorer: RowScorer | undefined;
  try {
    const rows = await rowsOf(flags, signal);
    scorer = await openRowScorer(flags, rows, signal);
    const kept = await openKeptResults<Reward>(output);
    begin();
    await orKept(output, signal, () => scoreMissing(scorer!, kept, signal));
    const keys = keysByRow(scorer.together, rows.length);
    const rewards = keys.map((key) => kept.known.get(key)!);
    await kept.finish(`${rewards.map((reward, row) => JSON.stringify({ row, reward })).join('\n')}\n`);
    const unread = rewards.filter((reward) => reward === null).length;
    const note = unread === 0 ? '' : `, ${unread} of them without a readable reward (null)`;
    process.stdout.write(`${rewards.length} responses scored${note}: ${output}\n`);
  } finally {
    await scorer?.dispose();
    release();
  }
}

async function rowsOf(flags: RewardFlags, signal: AbortSignal): Promise<readonly ResponseRow[]> {
  const files = await filesOfFlags(flags, { report: say, signal });
  const rows: ResponseRow[] = [];
  for await (const row of readResponses(files, { ...formOf(flags), signal })) rows.push(row);
  if (rows.length > 0) return rows;
  throw new MetaapoError('data', 'there are no rows', { where: flags.data, remedy: 'Give rows {prompt, response}' });
}

function keysByRow(together: readonly ScoredTogether[], count: number): readonly string[] {
  const keys = new Array<string>(count);
  for (const one of together) for (const [index, row] of one.rows.entries()) keys[row] = one.keys[index]!;
  return keys;
}

async function scoreMissing(scorer: RowScorer, kept: KeptResults<Reward>, signal: AbortSignal): Promise<void> {
  const missing = withoutRepeated(scorer.together).filter(({ keys }) => keys.some((key) => !kept.known.has(key)));
  const progress = createProgress('reward');
  let done = 0;
  try {
    for (let start = 0; start < missing.length; start += scorer.atATime) {
      const part = missing.slice(start, start + scorer.atATime);
      const rewards = await scorer.score(part, signal);
      await kept.keep(
        ...part.flatMap(({ keys }, at) => keys.map((key, index) => [key, rewards[at]![index]!] as const)),
      );
      done += part.length;
      progress.update(done, missing.length);
    }
  } finally {
    progress.end();
  }
}

/** What has the same keys is scored once. */
function withoutRepeated(together: readonly ScoredTogether[]): readonly ScoredTogether[] {
  return [...new Map(together.map((one) => [one.keys.join(), one])).values()];
}
