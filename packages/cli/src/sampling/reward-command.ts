import { type ResponseRow, readResponses } from '@metaapo/data';
import { say } from '../recipe/compose-parts.js';
import { onInterruption } from '../terminal/interruption.js';
import { createProgress } from '../terminal/progress.js';
import { filesOfFlags } from '../training/data-files.js';
import { formOf } from '../training/load-preferences.js';
import { type NumberedRows, noRows, numberedRows } from '../training/numbered-rows.js';
import { type KeptResults, openKeptResults, orKept } from './kept-results.js';
import { type JudgedRows, judgeRows, type RewardFlags, type RowScorer, type ScoredTogether } from './row-scorer.js';

/** A reward as it is kept: nothing where the scorer gave none that can be read. */
type Reward = number | null;

/** Runs `metaapo reward`. The output appears when it is complete, in input order; until then its rows are kept beside it. */
export async function rewardCommand(flags: RewardFlags): Promise<void> {
  const { output } = flags;
  const { signal, begin, release } = onInterruption();
  let scorer: RowScorer | undefined;
  try {
    const read = await rowsOf(flags, signal);
    const judged = await judgeRows(flags, read, signal);
    read.sayBadRows();
    if (judged.count === 0) throw noRows(flags.data);
    if (flags.dryRun === true) return printPlan(judged, flags);
    scorer = await judged.open();
    const kept = await openKeptResults<Reward>(output);
    begin();
    await orKept(output, signal, () => scoreMissing(scorer!, kept, signal));
    const rewards = rewardsByRow(scorer.together, kept);
    const lines = [...rewards].sort(([a], [b]) => a - b).map(([row, reward]) => ({ row: read.numbers[row], reward }));
    await kept.finish(`${lines.map((line) => JSON.stringify(line)).join('\n')}\n`);
    const unread = lines.filter(({ reward }) => reward === null).length;
    const note = unread === 0 ? '' : `, ${unread} of them without a readable reward (null)`;
    process.stdout.write(`${lines.length} responses scored${note}: ${output}\n`);
  } finally {
    await scorer?.dispose();
    release();
  }
}

async function rowsOf(flags: RewardFlags, signal: AbortSignal): Promise<NumberedRows<ResponseRow>> {
  const files = await filesOfFlags(flags, { report: say, signal });
  return numberedRows(flags, { report: say }, (onBadRow) =>
    readResponses(files, { ...formOf(flags), signal, onBadRow }),
  );
}

function printPlan({ what, count }: JudgedRows, { output }: RewardFlags): void {
  process.stdout.write(`${what}\n${count} responses would be scored: ${output}\n`);
}

function rewardsByRow(
  together: readonly ScoredTogether[],
  { known }: KeptResults<Reward>,
): ReadonlyMap<number, Reward> {
  return new Map(together.flatMap(({ rows, keys }) => rows.map((row, index) => [row, known.get(keys[index]!)!])));
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
