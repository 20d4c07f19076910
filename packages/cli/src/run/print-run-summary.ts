import type { IterationSummary, RunSummary } from '@metaapo/core';

const COLUMNS: readonly (readonly [title: string, read: (summary: IterationSummary) => string])[] = [
  ['iteration', ({ iteration }) => String(iteration + 1)],
  ['rows', ({ rows }) => String(rows)],
  ['annotated', ({ selected, rows }) => `${((100 * selected) / rows).toFixed(1)} %`],
  ['calls', ({ annotations }) => String(annotations.done)],
  ['saved', ({ annotations }) => String(annotations.ofAll - annotations.done)],
  ['reward', ({ rewards }) => rewards.all?.toFixed(3) ?? '-'],
  ['chosen', ({ rewards }) => rewards.chosen?.toFixed(3) ?? '-'],
  ['rejected', ({ rewards }) => rewards.rejected?.toFixed(3) ?? '-'],
  ['pairs', ({ pairs }) => String(pairs.pairs)],
  ['KL', ({ kl }) => kl?.perResponse.toFixed(2) ?? '-'],
  ['held-out reward', ({ heldOutReward }) => heldOutReward?.toFixed(3) ?? '-'],
];

/** Prints a line an iteration: what was annotated, what it saved against annotating everything, and the rewards. */
export function printRunSummary({ iterations, rewardBefore, modelDirectory }: RunSummary): void {
  const rows = [COLUMNS.map(([title]) => title), ...iterations.map((one) => COLUMNS.map(([, read]) => read(one)))];
  const widths = COLUMNS.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  for (const row of rows) {
    process.stdout.write(`${row.map((cell, column) => cell.padStart(widths[column]!)).join('  ')}\n`);
  }
  printLeftOut(iterations);
  const after = iterations.at(-1)?.heldOutReward;
  if (typeof rewardBefore === 'number' && typeof after === 'number') {
    process.stdout.write(`Held-out reward ${rewardBefore.toFixed(3)} before, ${after.toFixed(3)} after\n`);
  }
  const done = iterations.reduce((sum, { annotations }) => sum + annotations.done, 0);
  const ofAll = iterations.reduce((sum, { annotations }) => sum + annotations.ofAll, 0);
  const saved = ofAll === 0 ? 0 : (100 * (ofAll - done)) / ofAll;
  process.stdout.write(
    `${done} reward calls instead of ${ofAll}: ${saved.toFixed(1)} % saved. The model is in ${modelDirectory}\n`,
  );
}

const LEFT_OUT: readonly (readonly [name: keyof IterationSummary['pairs'], label: string])[] = [
  ['truncated', 'cut at the limit'],
  ['empty', 'without text'],
  ['unreadable', 'without a readable reward'],
];

const NO_PAIR: readonly (readonly [name: keyof IterationSummary['pairs'], label: string])[] = [
  ['tie', 'equal rewards'],
  ['duplicates', 'equal texts'],
  ['too-few', 'too few responses'],
  ['not-better', 'no better than offline'],
];

/** Prints what made no pair, and why, over all iterations. */
function printLeftOut(iterations: readonly IterationSummary[]): void {
  const total = (name: keyof IterationSummary['pairs']): number =>
    iterations.reduce((sum, { pairs }) => sum + (pairs[name] ?? 0), 0);
  const listed = (entries: typeof LEFT_OUT): string =>
    entries.map(([name, label]) => `${total(name)} ${label}`).join(', ');
  const rows = NO_PAIR.reduce((sum, [name]) => sum + total(name), 0);
  const comparisons = total('unreadableComparisons');
  const unread = comparisons === 0 ? '' : `; ${comparisons} comparisons could not be read`;
  process.stdout.write(`Of ${total('responses')} responses: ${listed(LEFT_OUT)}${unread}\n`);
  process.stdout.write(`${rows} annotated rows without an online pair: ${listed(NO_PAIR)}\n`);
}
