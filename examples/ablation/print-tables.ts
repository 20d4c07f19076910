import { KIND_NAMES, type Kind } from './kinds.js';
import { KEPT, METAAPO, type Outcomes, RANDOM_KEPT } from './methods.js';
import type { KindOutcome } from './outcome.js';
import { halfWidth, mean } from './statistics.js';

/** Held-out rewards of the policies that all methods start from, a list a seed. */
export type StartRewards = readonly (readonly { readonly kind: Kind; readonly reward: number }[])[];

/** The tables in Markdown: methods against MetaAPO over seeds, and what happened to each kind of row. */
export function printTables(outcomes: Outcomes, starts: StartRewards): string {
  const tables = [methodTable(outcomes, starts), rewardTable(outcomes, starts), selectionTable(outcomes)];
  return [...tables, keptLine(outcomes)].join('\n');
}

/** What the selection is worth where unselected rows are kept. */
function keptLine(outcomes: Outcomes): string {
  const random = outcomes.get(RANDOM_KEPT)!;
  const differences = outcomes.get(KEPT)!.map(({ reward }, seed) => reward - random[seed]!.reward);
  return `${KEPT}, minus ${RANDOM_KEPT}: ${withInterval(differences)}\n`;
}

const table = (titles: readonly string[], rows: readonly (readonly string[])[]): string =>
  [titles, titles.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |\n`).join('');

const withInterval = (values: readonly number[]): string =>
  `${mean(values).toFixed(4)} ± ${halfWidth(values).toFixed(4)}`;

const percent = (share: number): string => (Number.isNaN(share) ? '' : `${(100 * share).toFixed(0)} %`);

function methodTable(outcomes: Outcomes, starts: StartRewards): string {
  const start = starts.map((rewards) => mean(rewards.map(({ reward }) => reward)));
  const metaapo = outcomes.get(METAAPO)!;
  const rows = [...outcomes].map(([name, results]) => [
    name,
    withInterval(results.map(({ reward }) => reward)),
    `${(100 * mean(results.map(({ share }) => share))).toFixed(1)} %`,
    mean(results.map(({ calls }) => calls)).toFixed(0),
    name === METAAPO ? '' : withInterval(results.map(({ reward }, seed) => metaapo[seed]!.reward - reward)),
  ]);
  const titles = ['method', 'held-out reward', 'annotated', 'reward calls', "MetaAPO's reward minus it"];
  return table(titles, [['the start of all', withInterval(start), '', '', ''], ...rows]);
}

function rewardTable(outcomes: Outcomes, starts: StartRewards): string {
  const ofKind = (kind: Kind): number =>
    mean(starts.flatMap((rewards) => rewards.filter((one) => one.kind === kind).map(({ reward }) => reward)));
  const rows = [...outcomes].map(([name, results]) => [
    name,
    ...KIND_NAMES.map((kind) => mean(results.map(({ byKind }) => byKind[kind].reward)).toFixed(3)),
  ]);
  const start = ['the start of all', ...KIND_NAMES.map((kind) => ofKind(kind).toFixed(3))];
  return table(['held-out reward', ...KIND_NAMES], [start, ...rows]);
}

/** Annotated share of each kind, mean weight w and share of the annotated rows without a pair. */
function selectionTable(outcomes: Outcomes): string {
  const rows = [...outcomes].map(([name, results]) => [
    name,
    ...KIND_NAMES.map((kind) => {
      const total = (read: (one: KindOutcome) => number): number =>
        results.reduce((sum, { byKind }) => sum + read(byKind[kind]), 0);
      const selected = total((one) => one.selected);
      const weight = mean(results.map(({ byKind }) => byKind[kind].weight)).toFixed(2);
      return `${percent(selected / total((one) => one.rows))}, ${weight}, ${percent(total((one) => one.ties) / selected)}`;
    }),
  ]);
  return table(['annotated, w, ties', ...KIND_NAMES], rows);
}
