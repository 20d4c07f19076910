import { groupOf } from '@metaapo/core';
import type { OptimizerStep, TokenizedPreference, TrainableModel } from '@metaapo/core/contracts';
import { type BackendId, chooseExecutor, createProfile, inspectSystem, selectBackend } from '@metaapo/engine';
import { readTrainingRecipe } from '../recipe/read-training-recipe.js';
import { codingOf, loadPreferences } from './load-preferences.js';
import { openPolicy, type Sources } from './open-models.js';
import { type PeakRate, printCosts, rateOf } from './print-costs.js';
import { optimizerOf } from './training-settings.js';

const say = (line: string): void => void process.stderr.write(`${line}\n`);

/**
 * Runs `metaapo profile`: what a training step costs, primitive by primitive, and as compiled programs: in float32, and in
 * bfloat16 too where the recipe asks for it.
 */
export async function profileCommand(name: string, overrides?: readonly string[]): Promise<void> {
  const recipe = await readTrainingRecipe(name, overrides);
  const backend = await selectBackend(recipe.backend === undefined ? {} : { prefer: recipe.backend });
  say(`Backend: ${backend.reason}`);
  const peaks = await measurePeaks(backend.id);
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
  printCosts(profile.costs(), peaks.float32);
  process.stdout.write(`${rows.length} rows, ${tokens} tokens; eager ${eagerSeconds.toFixed(3)} s\n`);
  if (chooseExecutor(recipe.executor).executor === 'eager') return;
  const flops = profile.costs().reduce((sum, cost) => sum + cost.flops, 0);
  for (const precision of new Set(['float32', recipe.precision] as const)) {
    const compiled = await openPolicy({ ...recipe, precision }, sources);
    const first = await step(compiled.model, rows, optimizer);
    const seconds = await step(compiled.model, rows, optimizer);
    compiled.model.dispose();
    const rate = rateOf(flops, seconds, peaks[precision]);
    const times = `${seconds.toFixed(3)} s (${rate}), the first time ${first.toFixed(1)} s`;
    process.stdout.write(`compiled, ${precision}: ${times}\n`);
  }
}

/** What a large product reaches on this machine, measured in a process of its own. */
async function measurePeaks(backend: BackendId): Promise<Readonly<Record<'float32' | 'bfloat16', PeakRate>>> {
  const { backends } = await inspectSystem();
  const rates = backends.find(({ id }) => id === backend)?.measured?.matmulGflops;
  return { float32: rates?.float32, bfloat16: rates?.bfloat16 };
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
  await model.backward(ticket, { perResponse: new Float32Array(ticket.sumLogprobs.length).fill(1 / rows.length) });
  await model.apply(optimizer);
  return (performance.now() - started) / 1000;
}
