import { type PromptGroup, type TrainableModel, type TrainingUse, tokensOf } from '@metaapo/core/contracts';
import {
  type Backend,
  chooseExecutor,
  createProfile,
  type Executor,
  inspectSystem,
  type PrimitiveCost,
} from '@metaapo/engine';
import type { OpeningOptions } from '../language-model/opening-options.js';
import type { Precision } from '../transformer/index.js';

/** What {@link profileModel} works with. */
export interface ProfileOptions {
  readonly backend: Backend['id'];
  readonly executor: Executor | 'auto';
  readonly precision: Precision;
  /** Opens the model for training. */
  readonly open: (options: OpeningOptions) => Promise<TrainableModel>;
}

/**
 * What a training step over the groups costs, in lines: primitive by primitive, and as compiled programs, in float32 and in
 * the precision that is wanted.
 */
export async function* profileModel(
  groups: readonly PromptGroup[],
  use: TrainingUse,
  { backend, executor, precision, open }: ProfileOptions,
): AsyncGenerator<string> {
  const peaks = await measurePeaks(backend);
  const profile = createProfile();
  // The primitives are those of float32: bfloat16 exists in compiled programs only.
  const eager = await open({ precision: 'float32', executor: 'eager', profile });
  await step(eager, groups, use);
  profile.reset();
  const eagerSeconds = await step(eager, groups, use);
  eager.dispose();
  yield* costLines(profile.costs(), peaks.float32);
  const tokens = groups.reduce((sum, group) => sum + tokensOf(group), 0);
  yield `${groups.length} rows, ${tokens} tokens; eager ${eagerSeconds.toFixed(3)} s`;
  const { executor: runs } = chooseExecutor(executor);
  if (runs === 'eager') return;
  const flops = profile.costs().reduce((sum, cost) => sum + cost.flops, 0);
  for (const computed of new Set(['float32', precision] as const)) {
    const compiled = await open({ precision: computed });
    const first = await step(compiled, groups, use);
    const seconds = await step(compiled, groups, use);
    compiled.dispose();
    const rate = rateOf(flops, seconds, peaks[computed]);
    yield `${runs}, ${computed}: ${seconds.toFixed(3)} s (${rate}), the first time ${first.toFixed(1)} s`;
  }
}

/** GFLOP/s of a large matrix product on this machine; absent where it was not measured. */
type PeakRate = number | undefined;

/** What a large product reaches on this machine, measured in a process of its own. */
async function measurePeaks(backend: Backend['id']): Promise<Readonly<Record<Precision, PeakRate>>> {
  const { backends } = await inspectSystem();
  const rates = backends.find(({ id }) => id === backend)?.measured?.matmulGflops;
  return { float32: rates?.float32, bfloat16: rates?.bfloat16 };
}

/** Forward, backward and update; the learning rate of 0 leaves the weights as they are. Returns seconds. */
async function step(
  model: TrainableModel,
  groups: readonly PromptGroup[],
  { optimizer }: TrainingUse,
): Promise<number> {
  const started = performance.now();
  const ticket = await model.forward(groups);
  const perResponse = new Float32Array(ticket.sumLogprobs.length).fill(1 / groups.length);
  await model.backward(ticket, { perResponse });
  await model.apply({ ...optimizer, learningRate: 0, step: 1 });
  return (performance.now() - started) / 1000;
}

/** `332 GFLOP/s, 72 % of this machine's peak`. */
function rateOf(flops: number, seconds: number, peak: PeakRate): string {
  const rate = flops / seconds / 1e9;
  const share = peak === undefined ? '' : `, ${percent(rate, peak)} of this machine's peak`;
  return `${rate.toFixed(0)} GFLOP/s${share}`;
}

/** A line for each primitive that takes a five-hundredth of the time or more. */
function costLines(costs: readonly PrimitiveCost[], peak: PeakRate): readonly string[] {
  const total = costs.reduce((sum, { seconds }) => sum + seconds, 0);
  const lines = [['primitive', 'runs', 'ms', 'share', 'MB moved', 'GFLOP/s', 'of peak']];
  for (const { primitive, runs, seconds, bytes, flops } of costs) {
    if (seconds < total / 500) continue;
    const rate = flops / seconds / 1e9;
    const ofPeak = flops === 0 || peak === undefined ? '' : percent(rate, peak);
    const moved = (bytes / 1e6).toFixed(0);
    const rates = [flops === 0 ? '' : rate.toFixed(0), ofPeak];
    lines.push([primitive, String(runs), (1000 * seconds).toFixed(1), percent(seconds, total, 1), moved, ...rates]);
  }
  const widths = lines[0]!.map((_, column) => Math.max(...lines.map((line) => line[column]!.length)));
  return lines.map((line) => {
    const [first, ...rest] = line.map((cell, column) =>
      column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!),
    );
    return [first, ...rest].join('  ').trimEnd();
  });
}

const percent = (part: number, whole: number, digits = 0): string => `${((100 * part) / whole).toFixed(digits)} %`;
