// The paper's ablations on a sorting task with three kinds of rows: the same loop with one part exchanged, over seeds.
//   npx tsx examples/ablation/ablation.ts [--seeds 5] [--first-seed 0] [--rows 900]
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { seedOf, shuffledIndices } from '@metaapo/core/numerics';
import { rewardOf } from '../quickstart/reward.mjs';
import { generate } from './generate.js';
import { type KindPrompt, kindPrompts } from './kinds.js';
import { KEPT, METAAPO, METHODS } from './methods.js';
import { type Outcome, readOutcome } from './outcome.js';
import { printTables } from './print-tables.js';
import { runMetaapo } from './run-metaapo.js';
import { writeDemonstrations, writePairs } from './write-data.js';

const { values: flags } = parseArgs({
  options: {
    seeds: { type: 'string', default: '5' },
    'first-seed': { type: 'string', default: '0' },
    rows: { type: 'string', default: '900' },
    // Keys of the recipe as JSON, to try a setting.
    set: { type: 'string', default: '{}' },
    output: { type: 'string', default: 'runs/ablation' },
  },
});
process.chdir(fileURLToPath(new URL('../..', import.meta.url)));
const directory = flags.output;
const seeds = Array.from({ length: Number(flags.seeds) }, (_, index) => Number(flags['first-seed']) + index);
const reference = join(directory, 'reference');
const fileNameOf = (method: string): string => method.replaceAll(/\W+/g, '-');
const startOf = (seed: number): string => join(directory, `start-${seed}`);
const held: readonly KindPrompt[] = kindPrompts(300, 10_000);

async function heldOutRewards(model: string, file: string) {
  const responses = await generate(
    model,
    held.map(({ prompt }) => prompt),
    file,
    { seed: 1, count: 4 },
  );
  return held.flatMap(({ kind, prompt }, row) =>
    responses[row]!.map((text) => ({ kind, reward: rewardOf(prompt, text) })),
  );
}

async function runMethod(name: string, seed: number, settings: Readonly<Record<string, unknown>>): Promise<Outcome> {
  const output = join(directory, `${fileNameOf(name)}-${seed}`);
  const train = join(directory, `train-${seed}.jsonl`);
  runMetaapo(['run', 'examples/ablation/recipe.yaml'], {
    model: join(startOf(seed), 'model'),
    reference: join(reference, 'model'),
    'data.train': train,
    'training.seed': seed,
    output,
    ...JSON.parse(flags.set),
    ...settings,
  });
  const rewards = await heldOutRewards(join(output, 'model'), join(output, 'held-out'));
  const outcome = await readOutcome(output, train, rewards);
  const kinds = Object.entries(outcome.byKind).map(
    ([kind, { rows, selected, weight, ties, reward }]) =>
      `${kind} ${reward.toFixed(3)} (share ${(selected / rows).toFixed(2)}, w ${weight.toFixed(2)}, ties ${(ties / selected).toFixed(2)})`,
  );
  process.stderr.write(
    `seed ${seed}, ${name}: ${outcome.reward.toFixed(4)} at ${outcome.share.toFixed(3)}, ${outcome.metaUpdates} meta; ${kinds.join('; ')}\n`,
  );
  return outcome;
}

async function prepareReference(): Promise<void> {
  const train = join(directory, 'demonstrations.jsonl');
  await writeDemonstrations(train, 3000, 77);
  runMetaapo(['sft', 'examples/ablation/reference.yaml'], { 'data.train': train, output: reference });
}

async function prepareSeed(seed: number): Promise<void> {
  const policy = join(reference, 'model');
  const train = join(directory, `start-${seed}.jsonl`);
  await writePairs(train, 640, 1000 + seed, policy, false);
  runMetaapo(['train', 'examples/ablation/start.yaml'], {
    model: policy,
    'data.train': train,
    'training.seed': seed,
    output: startOf(seed),
  });
  await writePairs(join(directory, `train-${seed}.jsonl`), Number(flags.rows), seed, policy, true);
}

const rowFile = (what: string, method: string, seed: number): string =>
  join(directory, `${what}-${fileNameOf(method)}-${seed}.json`);

/** Writes which rows a run selected, and as many of each iteration at random. */
async function writeRows(method: string, seed: number, { selected, slices }: Outcome): Promise<void> {
  let begin = 0;
  const random = slices.flatMap((size, iteration) => {
    const order = [...shuffledIndices(size, seedOf(['rows', seed, iteration]))];
    const drawn = order.slice(0, selected[iteration]!.length).map((index) => begin + index);
    begin += size;
    return drawn;
  });
  await writeFile(rowFile('rows', method, seed), JSON.stringify(selected.flat()));
  await writeFile(rowFile('random-rows', method, seed), JSON.stringify(random));
}

await rm(directory, { recursive: true, force: true });
await prepareReference();
const outcomes = new Map<string, Outcome[]>();
const starts: Awaited<ReturnType<typeof heldOutRewards>>[] = [];
for (const seed of seeds) {
  await prepareSeed(seed);
  starts.push(await heldOutRewards(join(startOf(seed), 'model'), join(startOf(seed), 'held-out')));
  const input = {
    sameRows: rowFile('rows', METAAPO, seed),
    randomRows: rowFile('random-rows', METAAPO, seed),
    randomRowsOfKept: rowFile('random-rows', KEPT, seed),
  };
  for (const [name, settingsOf] of Object.entries(METHODS)) {
    const outcome = await runMethod(name, seed, settingsOf(input));
    if (name === METAAPO || name === KEPT) await writeRows(name, seed, outcome);
    outcomes.set(name, [...(outcomes.get(name) ?? []), outcome]);
    await writeFile(join(directory, 'outcomes.json'), JSON.stringify({ outcomes: [...outcomes], starts }));
  }
}
process.stdout.write(printTables(outcomes, starts));
