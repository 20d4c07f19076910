// Times sampling of K responses a prompt, ours and transformers' `generate`, by turns with the same weights:
//   pnpm bench generate [--shapes S,M] [--precisions f32,bf16] [--prompts 32] [--samples 8] [--new-tokens 128] [--runs 2]
//                       [--rounds 2] [--sequences 256,128,64] [--caches static,dynamic] [--python python3] [--quick]
//                       [--node-llama-cpp DIR] [--llama-sequences 64]
// --sequences and --caches are what the peer tries first, one batch each; it goes on with its fastest.
// --node-llama-cpp: a directory into which `npm i node-llama-cpp` was done, for one more row.
// --quick: 4 prompts, 16 new tokens, one run, one batch: to see that everything works.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { type GenerationMeasurement, type GenerationWork, preparePrompts } from './generate/prepare-prompts.js';
import { writeGguf } from './generate/write-gguf.js';
import { compileSide, runByTurns, runSide } from './run-side.js';
import { fastest, mergeRounds } from './train/measurement.js';

const { values: flags } = parseArgs({
  options: {
    shapes: { type: 'string', default: 'S,M' },
    precisions: { type: 'string', default: 'f32,bf16' },
    prompts: { type: 'string', default: '32' },
    samples: { type: 'string', default: '8' },
    'new-tokens': { type: 'string', default: '128' },
    runs: { type: 'string', default: '2' },
    rounds: { type: 'string', default: '2' },
    sequences: { type: 'string', default: '256,128,64' },
    caches: { type: 'string', default: 'static,dynamic' },
    python: { type: 'string', default: 'python3' },
    'node-llama-cpp': { type: 'string' },
    'llama-sequences': { type: 'string', default: '64' },
    quick: { type: 'boolean', default: false },
  },
});
const size = flags.quick
  ? { prompts: 4, samples: 2, newTokens: 16, runs: 1, rounds: 1, sequences: '8', caches: 'dynamic', llamaSequences: 8 }
  : {
      prompts: Number(flags.prompts),
      samples: Number(flags.samples),
      newTokens: Number(flags['new-tokens']),
      runs: Number(flags.runs),
      rounds: Number(flags.rounds),
      sequences: flags.sequences,
      caches: flags.caches,
      llamaSequences: Number(flags['llama-sequences']),
    };
const PRECISIONS: Readonly<Record<string, GenerationWork['precision']>> = { f32: 'float32', bf16: 'bfloat16' };

const NOTES = `
${size.prompts} prompts of 64 to 128 random tokens, ${size.samples} responses each, exactly ${size.newTokens} new tokens a response, temperature 1, no filter.
Random weights, the same files for both. s: one run over all prompts, prefill included: the fastest of ${size.runs} after a warm-up,
in each of ${size.rounds} rounds, a process each; the sides take turns. Other work on the machine only ever adds time, to both sides.
tokens/s: new tokens. peak: the largest resident set of the whole process, loading included. start s: from the process'
start to the end of the warm-up. log p: mean log-probability of the new tokens under the model, in nats (PyTorch: of one
response a prompt, computed afterwards in float32 sums); it tells that both sides draw from the same distribution.
speed and memory: rate over PyTorch's, and peak over its peak.
Ours computes a prompt once for all of its responses, keeps its keys once, pads keys to the longest of a quarter of the
sequences, and takes all sequences into one batch; it also returns the log-probability of every token. Random numbers
belong to (seed, sample, token).
PyTorch (transformers' generate, sampling, torch's threads = cores) pads prompts on the left, sorted by length, computes
and keeps a prompt once a response (num_return_sequences), and returns no log-probabilities.
bf16: ours in products, keys and values; weights (of a float32 checkpoint, as in training) stay float32. PyTorch's
whole model and cache are bfloat16. The threads of PyTorch wait in spinning loops: measure on an idle machine.`;
const LLAMA_NOTE = `node-llama-cpp (llama.cpp as built for npm, threads = cores): weights in float32 or bfloat16, its cache in float16; prompts
are not padded, and computed and kept once a response. log p: of eight responses, as it reports them. Its threads spin too.
`;

interface Peer {
  readonly sequences: number;
  readonly cache: string;
}

const ours = compileSide('generate/ours.ts');
const nodeLlama = compileSide('generate/node-llama.ts');

/** Says on the standard error what runs now: a whole table takes an hour. */
const say = (line: string): void => void process.stderr.write(`${new Date().toISOString().slice(11, 19)} ${line}\n`);

const rateOf = ({ tokens, seconds }: GenerationMeasurement): number => tokens / fastest(seconds);

function measurePeer(work: GenerationWork, { sequences, cache }: Peer, probe: boolean): GenerationMeasurement {
  say(`${work.model} ${work.precision}: PyTorch, ${sequences} at once, ${cache} cache${probe ? ', one batch' : ''}`);
  return runSide(flags.python, 'peers/torch_generate.py', { ...work, sequences, cache, probe });
}

/** The peer's fastest batch and cache: each is tried on one batch, in a process of its own. */
function bestPeer(work: GenerationWork): { readonly best: Peer; readonly tried: string } {
  const peers = size.sequences
    .split(',')
    .flatMap((sequences) => size.caches.split(',').map((cache): Peer => ({ sequences: Number(sequences), cache })));
  if (peers.length === 1) return { best: peers[0]!, tried: '' };
  const rates = peers.map((peer) => ({ peer, rate: rateOf(measurePeer(work, peer, true)) }));
  const best = rates.reduce((a, b) => (b.rate > a.rate ? b : a)).peer;
  const tried = rates.map(({ peer, rate }) => `${peer.sequences} ${peer.cache} ${rate.toFixed(0)}`).join(', ');
  return { best, tried };
}

/** What is measured of a workload, by the name in the table; the peer first. */
async function sidesOf(work: GenerationWork, best: Peer): Promise<ReadonlyMap<string, () => GenerationMeasurement>> {
  const sides = new Map([
    [`PyTorch, ${best.sequences} at once, ${best.cache} cache`, () => measurePeer(work, best, false)],
  ]);
  const llama = flags['node-llama-cpp'];
  if (llama !== undefined) {
    const [gguf, sequences] = [join(work.model, `${work.precision}.gguf`), size.llamaSequences];
    await writeGguf(work.model, gguf, work.precision);
    const request = { ...work, gguf, package: resolve(llama), sequences };
    sides.set(`node-llama-cpp, ${sequences} at once`, () => measureOurs('node-llama-cpp', nodeLlama, request));
  }
  sides.set('ours', () => measureOurs('ours', ours, { ...work }));
  return sides;
}

function measureOurs(name: string, script: string, request: Readonly<Record<string, unknown>>): GenerationMeasurement {
  say(`${request.model} ${request.precision}: ${name}`);
  return runSide(process.execPath, script, request);
}

const print = (cells: readonly string[]): void => void process.stdout.write(`| ${cells.join(' | ')} |\n`);

function cellsOf(name: string, side: string, measured: GenerationMeasurement, peer?: GenerationMeasurement): string[] {
  const { seconds, startup, peakBytes, meanLogprob } = measured;
  const ratios =
    peer === undefined
      ? ['', '']
      : [(rateOf(measured) / rateOf(peer)).toFixed(2), (peakBytes / peer.peakBytes).toFixed(2)];
  return [
    name,
    side,
    fastest(seconds).toFixed(2),
    `${Math.min(...seconds).toFixed(2)} to ${Math.max(...seconds).toFixed(2)}`,
    rateOf(measured).toFixed(0),
    (peakBytes / 2 ** 30).toFixed(2),
    startup.toFixed(1),
    meanLogprob.toFixed(3),
    ...ratios,
  ];
}

const directory = await mkdtemp(join(tmpdir(), 'metaapo-bench-'));
const trials: string[] = [];
try {
  const titles = ['workload', 'side', 's', 'range', 'tokens/s', 'peak GiB', 'start s', 'log p', 'speed', 'memory'];
  print(titles);
  print(titles.map(() => '---'));
  for (const shape of flags.shapes.split(',')) {
    const files = await preparePrompts(shape, size.prompts, directory);
    for (const short of flags.precisions.split(',')) {
      const precision = PRECISIONS[short];
      if (precision === undefined) throw new Error(`There is no precision ${short}. Known: f32, bf16`);
      const { samples, newTokens, runs } = size;
      const work: GenerationWork = { ...files, precision, samples, newTokens, runs };
      const name = `${shape} ${short}`;
      const { best, tried } = bestPeer(work);
      if (tried !== '') trials.push(`${name}: ${tried}`);
      const measured = [...runByTurns(await sidesOf(work, best), size.rounds)];
      const [peer] = measured.map(([, rounds]) => mergeRounds(rounds));
      for (const [index, [side, rounds]] of measured.entries()) {
        print(cellsOf(name, side, mergeRounds(rounds), index === 0 ? undefined : peer));
      }
    }
  }
  process.stdout.write(`${NOTES}\n${flags['node-llama-cpp'] === undefined ? '' : LLAMA_NOTE}`);
  if (trials.length > 0) {
    process.stdout.write(
      `PyTorch's trials (sequences at once, cache, tokens/s of one batch):\n- ${trials.join('\n- ')}\n`,
    );
  }
} finally {
  await rm(directory, { recursive: true, force: true });
}
