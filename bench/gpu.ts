// Measures what has to be measured on a GPU, ours and PyTorch's, what is worth most first:
//   pnpm bench gpu [--python python3] [--results FILE] [--minutes 9] [--device cuda] [--models DIR]
// Each row is printed and kept in the results as soon as it is known; a second call goes on where the first one ended, and tries at its
// end again what failed. Nothing
// is begun that is not likely to end within the minutes. --device cpu: the same on one small shape, to see that all of it works.
import { appendFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type GenerationMeasurement, preparePrompts } from './generate/prepare-prompts.js';
import { GPU_CASES, type GpuCase, SMALL_CASES, storedIn, tokensOfStep, workloadOf } from './gpu/cases.js';
import { type MeasuredRun, runMeasured } from './gpu/run-measured.js';
import { compileSide } from './run-side.js';
import { fastest, type Measurement } from './train/measurement.js';
import { prepareRandom } from './train/prepare.js';
import { SHAPES } from './train/shapes.js';

const here = fileURLToPath(new URL('.', import.meta.url));
const { values: flags } = parseArgs({
  options: {
    python: { type: 'string', default: 'python3' },
    results: { type: 'string' },
    minutes: { type: 'string', default: '9' },
    device: { type: 'string', default: 'cuda' },
    models: { type: 'string' },
  },
});
const isSmall = flags.device === 'cpu';
const cases = isSmall ? SMALL_CASES : GPU_CASES;
const results = resolve(
  flags.results ?? join(here, '..', 'node_modules', '.cache', 'metaapo-bench', `gpu-${flags.device}.jsonl`),
);
const end = performance.now() + Number(flags.minutes) * 60_000;
const [STEPS, RUNS, LORA_RANK, CASE_MS, LEAST_MS] = [isSmall ? 2 : 10, isSmall ? 1 : 2, 16, 180_000, 40_000];
const [PROMPTS, SAMPLES, NEW_TOKENS] = isSmall ? [2, 2, 8] : [32, 8, 128];

const NOTES = `
s: the fastest step of ${STEPS} after the first, or run of ${RUNS} after a warm-up. GPU GiB: most memory of the GPU in use, beside what was before, as
nvidia-smi tells twice a second. start s: from the process' begin to the end of the first step or warm-up. XLA: computations compiled.
speed: PyTorch's time over it. train: all weights, 128+128 tokens a response, on S 8 pairs, on M and Q 2; lora: rank 16 on bfloat16
weights, ${SHAPES.B!.summary}, ${SHAPES.H!.summary}, PyTorch with gradient checkpointing.
generate: ${PROMPTS} prompts of 64 to 128 tokens, ${SAMPLES} responses of ${NEW_TOKENS} tokens each; PyTorch: transformers' static cache, all at once.`;

type Report = Measurement | GenerationMeasurement;

/** What is kept of a case. */
interface Result {
  readonly of: GpuCase;
  readonly report?: Report;
  readonly gpuBytes?: number;
  readonly failure?: string;
}

const print = (cells: readonly string[]): void => void process.stdout.write(`| ${cells.join(' | ')} |\n`);
const keyOf = (one: GpuCase): string => `${workloadOf(one)} ${one.side}`;

function readResults(): Map<string, Result> {
  if (!existsSync(results)) return new Map();
  const lines = readFileSync(results, 'utf8').trim().split('\n').filter(Boolean);
  return new Map(lines.map((line) => JSON.parse(line) as Result).map((result) => [keyOf(result.of), result]));
}

function cellsOf({ of, report, gpuBytes, failure }: Result, known: ReadonlyMap<string, Result>): string[] {
  if (report === undefined) return [workloadOf(of), of.side, `failed: ${failure?.split('\n').at(-1)}`];
  const seconds = fastest(report.seconds);
  const peer = known.get(keyOf({ ...of, side: 'PyTorch' }))?.report;
  const tokens = 'tokens' in report ? report.tokens : tokensOfStep(of);
  const gib = (bytes: number | undefined): string => (bytes === undefined ? '' : (bytes / 2 ** 30).toFixed(2));
  const check =
    'loss' in report ? `${report.loss.toFixed(5)}, ${report.gradNorm.toFixed(3)}` : report.meanLogprob.toFixed(3);
  return [
    ...[
      workloadOf(of),
      of.side,
      seconds.toFixed(4),
      (tokens / seconds).toFixed(0),
      gib(gpuBytes),
      gib(report.peakBytes),
    ],
    ...[report.startup.toFixed(1), check, String(report.compilations ?? '')],
    peer === undefined || of.side === 'PyTorch' ? '' : (fastest(peer.seconds) / seconds).toFixed(2),
  ];
}

const ours = { train: compileSide('train/ours.ts'), generate: compileSide('generate/ours.ts') };

/** Writes the model of a case where it is not there yet. */
async function prepareModel(one: GpuCase, directory: string): Promise<void> {
  const model = join(directory, `model-${one.shape}`);
  if (existsSync(model)) return;
  const request = {
    config: SHAPES[one.shape]!.model,
    directory: model,
    precision: storedIn(one),
    device: flags.device,
  };
  await run(flags.python, 'peers/torch_model.py', request);
}

const run = (command: string, script: string, request: object): Promise<MeasuredRun> =>
  runMeasured(command, [resolve(here, script), JSON.stringify(request)], {
    env: { ...process.env, METAAPO_BACKEND: isSmall ? 'tensorflow' : 'tensorflow-gpu' },
    limitMs: Math.min(CASE_MS, end - performance.now()),
  });

async function measure(one: GpuCase, directory: string): Promise<MeasuredRun> {
  await prepareModel(one, directory);
  const { precision, side } = one;
  const isOurs = side.startsWith('ours');
  const shared = isOurs
    ? { executor: side.slice('ours, '.length) }
    : { device: flags.device, compile: side === 'torch.compile' };
  const command = isOurs ? process.execPath : flags.python;
  if (one.kind === 'generate') {
    const files = await preparePrompts(one.shape, PROMPTS, directory);
    const work = { ...files, precision, samples: SAMPLES, newTokens: NEW_TOKENS, runs: RUNS, ...shared };
    const peer = { sequences: PROMPTS * SAMPLES, cache: 'static', probe: false };
    return run(command, isOurs ? ours.generate : 'peers/torch_generate.py', isOurs ? work : { ...work, ...peer });
  }
  const { model, rows } = await prepareRandom(one.shape, 2, directory);
  const isLora = one.kind === 'lora';
  const request = { model, rows, steps: STEPS, loraRank: isLora ? LORA_RANK : 0, precision, ...shared };
  const peer = { micro_pairs: isLora ? 1 : 8, gradientCheckpointing: isLora };
  return run(
    command,
    isOurs ? ours.train : 'peers/torch_train.py',
    isOurs ? { ...request, microBatchTokens: 3072 } : { ...request, ...peer },
  );
}

async function resultOf(one: GpuCase, directory: string): Promise<Result> {
  try {
    const { report, gpuBytes } = await measure(one, directory);
    return { of: one, report: report as Report, ...(gpuBytes !== undefined && { gpuBytes }) };
  } catch (error) {
    return { of: one, failure: (error as Error).message };
  }
}

if (!isSmall && !existsSync('/proc/driver/nvidia/version')) {
  process.stderr.write('No NVIDIA driver was found: --device cpu shows on one small shape that the bench works.\n');
  process.exit(3);
}
const directory = flags.models === undefined ? await mkdtemp(join(tmpdir(), 'metaapo-bench-')) : resolve(flags.models);
mkdirSync(dirname(results), { recursive: true });
mkdirSync(directory, { recursive: true });
try {
  const titles = [
    'workload',
    'side',
    's',
    'tokens/s',
    'GPU GiB',
    'host GiB',
    'start s',
    'loss, gradient norm; or log p',
    'XLA',
    'speed',
  ];
  print(titles);
  print(titles.map(() => '---'));
  const known = readResults();
  for (const result of known.values()) print(cellsOf(result, known));
  const failed = cases.filter((one) => known.has(keyOf(one)) && known.get(keyOf(one))!.report === undefined);
  for (const one of [...cases.filter((one) => !known.has(keyOf(one))), ...failed]) {
    if (end - performance.now() < LEAST_MS) {
      process.stdout.write('The minutes are over: the same command goes on from here.\n');
      break;
    }
    const result = await resultOf(one, directory);
    known.set(keyOf(one), result);
    appendFileSync(results, `${JSON.stringify(result)}\n`);
    print(cellsOf(result, known));
  }
  process.stdout.write(`${NOTES}\n`);
} finally {
  if (flags.models === undefined) await rm(directory, { recursive: true, force: true });
}
