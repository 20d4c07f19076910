// The paper's ablations on the sorting task: the same loop with one part exchanged, over several seeds.
//   npx tsx examples/ablation/ablation.ts [--seeds 5] [--rows 900]
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { writePreferences } from '../quickstart/write-preferences.js';
import { runMetaapo } from './run-metaapo.js';
import { writeOfflinePairs } from './write-offline-pairs.js';

const { values: flags } = parseArgs({
  options: {
    seeds: { type: 'string', default: '5' },
    rows: { type: 'string', default: '900' },
  },
});
const root = fileURLToPath(new URL('../..', import.meta.url));
process.chdir(root);
const directory = 'runs/ablation';
const seeds = Array.from({ length: Number(flags.seeds) }, (_, index) => index + 1);

/** What a run ended with. */
interface Outcome {
  readonly reward: number;
  readonly share: number;
  readonly calls: number;
  /** Weights w of all rows, as they were selected. */
  readonly weights: readonly number[];
}

/** Methods by name: the keys of the recipe that differ from MetaAPO's. */
const METHODS: Readonly<Record<string, (metaapo: Outcome | undefined) => Readonly<Record<string, unknown>>>> = {
  MetaAPO: () => ({}),
  'online DPO': () => ({ selection: { id: 'all' }, metaLearner: { id: 'constant', weight: 0 } }),
  'online DPO, same share': (metaapo) => ({
    selection: { id: 'random', share: metaapo!.share },
    metaLearner: { id: 'constant', weight: 0 },
  }),
  'random share': (metaapo) => ({ selection: { id: 'random', share: metaapo!.share } }),
  'no meta-learner': () => ({ metaLearner: { id: 'constant', weight: 0.5 } }),
  'all sampled, weighted': () => ({ selection: { id: 'all' } }),
  'unselected kept': () => ({ unselected: 'keep' }),
  'offline DPO': () => ({ selection: { id: 'none' }, unselected: 'keep' }),
};

async function runMethod(name: string, seed: number, settings: Readonly<Record<string, unknown>>): Promise<Outcome> {
  const output = join(directory, `${name.replaceAll(/\W+/g, '-')}-${seed}`);
  const recipe = {
    model: startOf(seed),
    'data.train': join(directory, `train-${seed}.jsonl`),
    'data.eval': join(directory, 'test.jsonl'),
    'training.seed': seed,
    output,
    ...settings,
  };
  runMetaapo(['run', 'examples/ablation/recipe.yaml'], recipe);
  const journal = (await readFile(join(output, 'journal.jsonl'), 'utf8')).trim().split('\n');
  const entries = journal.map((line) => JSON.parse(line));
  const summaries = entries.filter(({ kind }) => kind === 'iteration');
  const sum = (read: (summary: { selected: number; rows: number; annotations: { done: number } }) => number): number =>
    summaries.reduce((total, { summary }) => total + read(summary), 0);
  return {
    reward: summaries.at(-1).summary.heldOutReward,
    share: sum(({ selected }) => selected) / sum(({ rows }) => rows),
    calls: sum(({ annotations }) => annotations.done),
    weights: entries.filter(({ kind }) => kind === 'selection').flatMap(({ weights }) => weights),
  };
}

/** The policy that all methods start from: the reference after offline DPO on pairs of its own. */
const startOf = (seed: number): string => join(directory, `start-${seed}`, 'model');

async function trainStart(seed: number): Promise<void> {
  const train = join(directory, `start-${seed}.jsonl`);
  await writeOfflinePairs(train, 320, 1000 + seed);
  const settings = { 'data.train': train, 'training.seed': seed, output: join(directory, `start-${seed}`) };
  runMetaapo(['train', 'examples/ablation/start.yaml'], settings);
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

/** Mean and standard deviation. */
function weightText(weights: readonly number[]): string {
  const centre = mean(weights);
  const deviation = Math.sqrt(mean(weights.map((weight) => (weight - centre) ** 2)));
  return `${centre.toFixed(2)}, ${deviation.toFixed(2)}`;
}

/** Half the width of a 95 % confidence interval of the mean, by Student's t. */
function halfWidth(values: readonly number[]): number {
  const quantiles = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262];
  const centre = mean(values);
  const variance = values.reduce((sum, value) => sum + (value - centre) ** 2, 0) / (values.length - 1);
  return (quantiles[values.length - 2] ?? 1.96) * Math.sqrt(variance / values.length);
}

await rm(directory, { recursive: true, force: true });
await writePreferences(join(directory, 'test.jsonl'), 400, 10_000);
const outcomes = new Map<string, Outcome[]>();
for (const seed of seeds) {
  await writeOfflinePairs(join(directory, `train-${seed}.jsonl`), Number(flags.rows), seed);
  await trainStart(seed);
  for (const [name, settingsOf] of Object.entries(METHODS)) {
    const outcome = await runMethod(name, seed, settingsOf(outcomes.get('MetaAPO')?.at(-1)));
    outcomes.set(name, [...(outcomes.get(name) ?? []), outcome]);
    process.stderr.write(`seed ${seed}, ${name}: held-out reward ${outcome.reward.toFixed(4)}\n`);
  }
}
const metaapo = outcomes.get('MetaAPO')!;
process.stdout.write(
  `| method | held-out reward | annotated | reward calls | w, its spread | MetaAPO's reward minus it, 95 % interval |\n`,
);
process.stdout.write('|---|---|---|---|---|---|\n');
for (const [name, results] of outcomes) {
  const differences = results.map(({ reward }, index) => metaapo[index]!.reward - reward);
  const cells = [
    name,
    `${mean(results.map(({ reward }) => reward)).toFixed(4)} ± ${halfWidth(results.map(({ reward }) => reward)).toFixed(4)}`,
    `${(100 * mean(results.map(({ share }) => share))).toFixed(1)} %`,
    mean(results.map(({ calls }) => calls)).toFixed(0),
    weightText(results.flatMap(({ weights }) => weights)),
    name === 'MetaAPO' ? '' : `${mean(differences).toFixed(4)} ± ${halfWidth(differences).toFixed(4)}`,
  ];
  process.stdout.write(`| ${cells.join(' | ')} |\n`);
}
process.stdout.write(
  `${seeds.length} seeds, ${flags.rows} rows, 3 iterations, 4 responses a prompt, 400 held-out prompts.\n`,
);
