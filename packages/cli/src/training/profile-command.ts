import { groupOf } from '@metaapo/core';
import type { OptimizerStep, TokenizedPreference, TrainableModel } from '@metaapo/core/contracts';
import { chooseExecutor, createProfile, type PrimitiveCost, selectBackend } from '@metaapo/engine';
import { readTrainingRecipe } from '../recipe/read-training-recipe.js';
import { codingOf, loadPreferences } from './load-preferences.js';
import { openPolicy, type Sources } from './open-models.js';
import { optimizerOf } from './training-settings.js';

const say = (line: string): void => void process.stderr.write(`${line}\n`);

/** Runs `metaapo profile`: what a training step costs, primitive by primitive. */
export async function profileCommand(name: string, overrides?: readonly string[]): Promise<void> {
  const recipe = await readTrainingRecipe(name, overrides);
  const backend = await selectBackend(recipe.backend === undefined ? {} : { prefer: recipe.backend });
  say(`Backend: ${backend.reason}`);
  const sources: Sources = { revision: recipe.revision, report: say };
  const optimizer = { ...optimizerOf(recipe.training), learningRate: 0, step: 1 };
  const profile = createProfile();
  // The primitives are those of float32: bfloat16 exists in compiled programs only.
  const eager = await openPolicy({ ...recipe, precision: 'float32', executor: 'eager' }, sources, { profile });
  const { train } = await loadPreferences(recipe, codingOf(eager), sources);
  const rows = firstMicroBatch(train, recipe.training.batchSize, recipe.training.microBatchTokens);
  const tokens = rows.reduce((sum, row) => sum + tokensOf(row), 0);
  await step(eager.model, rows, optimizer);
  profile.reset();
  const eagerSeconds = await step(eager.model, rows, optimizer);
  eager.model.dispose();
  printCosts(profile.costs());
  process.stdout.write(`${rows.length} rows, ${tokens} tokens; eager ${eagerSeconds.toFixed(3)} s\n`);
  if (chooseExecutor(recipe.executor).executor === 'eager') return;
  const compiled = await openPolicy(recipe, sources);
  const first = await step(compiled.model, rows, optimizer);
  const seconds = await step(compiled.model, rows, optimizer);
  compiled.model.dispose();
  const flops = profile.costs().reduce((sum, cost) => sum + cost.flops, 0);
  const rate = (flops / seconds / 1e9).toFixed(0);
  const times = `${seconds.toFixed(3)} s (${rate} GFLOP/s), the first time ${first.toFixed(1)} s`;
  process.stdout.write(`compiled, ${recipe.precision}: ${times}\n`);
}

function firstMicroBatch(
  rows: readonly TokenizedPreference[],
  most: number,
  tokens: number,
): readonly TokenizedPreference[] {
  let sum = 0;
  const end = rows.slice(0, most).findIndex((row) => {
    sum += tokensOf(row);
    return sum > tokens;
  });
  return rows.slice(0, end < 0 ? most : Math.max(1, end));
}

function tokensOf(row: TokenizedPreference): number {
  const { prompt, responses } = groupOf(row);
  return prompt.length + responses.reduce((sum, { length }) => sum + length, 0);
}

/** Forward, backward and update; the learning rate of 0 leaves the weights as they are. Returns seconds. */
async function step(
  model: TrainableModel,
  rows: readonly TokenizedPreference[],
  optimizer: OptimizerStep,
): Promise<number> {
  const started = performance.now();
  const ticket = await model.forward(rows.map(groupOf));
  await model.backward(ticket, new Float32Array(ticket.sumLogprobs.length).fill(1 / rows.length));
  await model.apply(optimizer, await model.gradientNorm());
  return (performance.now() - started) / 1000;
}

function printCosts(costs: readonly PrimitiveCost[]): void {
  const total = costs.reduce((sum, { seconds }) => sum + seconds, 0);
  const lines = [['primitive', 'runs', 'ms', 'share', 'MB moved', 'GFLOP/s']];
  for (const { primitive, runs, seconds, bytes, flops } of costs) {
    if (seconds < total / 500) continue;
    const rate = flops === 0 ? '' : (flops / seconds / 1e9).toFixed(0);
    const share = `${((100 * seconds) / total).toFixed(1)} %`;
    lines.push([primitive, String(runs), (1000 * seconds).toFixed(1), share, (bytes / 1e6).toFixed(0), rate]);
  }
  const widths = lines[0]!.map((_, column) => Math.max(...lines.map((line) => line[column]!.length)));
  for (const line of lines) {
    const [first, ...rest] = line.map((cell, column) =>
      column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!),
    );
    process.stdout.write(`${[first, ...rest].join('  ')}\n`);
  }
}
