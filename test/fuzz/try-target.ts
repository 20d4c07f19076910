// Tries one target with inputs from a seed, and writes what became of them as lines of JSON. Called by scripts/fuzz.mjs.
import { closeSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { shownInput } from './found-inputs.js';
import { DIRECTORY } from './fuzz-target.js';
import { closeRust } from './rust-safetensors.js';
import { FUZZ_TARGETS } from './targets.js';
import { inputOf, smallestInput, tryInput } from './try-input.js';

const { values } = parseArgs({
  options: {
    target: { type: 'string' },
    list: { type: 'boolean', default: false },
    seed: { type: 'string', default: '1' },
    from: { type: 'string', default: '0' },
    inputs: { type: 'string', default: '1' },
    seconds: { type: 'string', default: 'Infinity' },
    at: { type: 'string' },
  },
});
/** Most faults of a target that are told apart. */
const MOST_FAULTS = 5;
const say = (value: unknown): void => void writeSync(1, `${JSON.stringify(value)}\n`);
/** What makes two faults the same: where they come from. */
const kindOf = (fault: string): string =>
  fault.split('\n').slice(0, 3).join('\n').replaceAll(/\d+/g, '#').slice(0, 300);

async function tryAll(name: string, seed: number): Promise<void> {
  const target = FUZZ_TARGETS.find((one) => one.name === name)!;
  const numbers = new Int32Array(new SharedArrayBuffer(8)).fill(-1);
  const mostBytes = process.memoryUsage.rss() + 2 ** 30;
  const watch = new Worker(new URL('./watch-inputs.mjs', import.meta.url), {
    workerData: { numbers, mostBytes },
    execArgv: [],
  });
  const place = openSync(join(DIRECTORY, '..', `metaapo-fuzz-${process.pid}.index`), 'w');
  const counts = { accepted: 0, refused: 0, fault: 0 };
  const kinds = new Set<string>();
  const faults: { readonly index: number; readonly fault: string }[] = [];
  const note = (index: number, fault: string): void => {
    if (kinds.has(kindOf(fault)) || kinds.size >= MOST_FAULTS) return;
    kinds.add(kindOf(fault));
    faults.push({ index, fault });
  };
  let index = Number(values.from);
  for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
    process.on(event, (error: unknown) =>
      note(index, `outside of any promise: ${error instanceof Error ? error.stack : String(error)}`),
    );
  }
  const [start, end, lastMs] = [performance.now(), index + Number(values.inputs), Number(values.seconds) * 1000];
  let slowestMs = 0;
  for (; index < end && performance.now() - start < lastMs; index++) {
    const input = inputOf(target, seed, index);
    Atomics.store(numbers, 0, index);
    writeSync(place, `${index}`.padEnd(12), 0);
    const before = performance.now();
    const { outcome, fault } = await tryInput(target, input);
    slowestMs = Math.max(slowestMs, performance.now() - before);
    Atomics.store(numbers, 0, -1);
    counts[outcome] += 1;
    if (fault !== undefined) note(index, fault);
  }
  await new Promise((resolve) => setImmediate(resolve));
  await watch.terminate();
  closeSync(place);
  const seconds = (performance.now() - start) / 1000;
  for (const { index: at, fault } of faults)
    say({ index: at, fault, input: shownInput(await smallestInput(target, seed, at)) });
  say({ target: name, tried: index - Number(values.from), ...counts, seconds, slowestMs, peakMiB: numbers[1] });
  closeRust();
  process.exit(0);
}

const { target: name, seed, at } = values;
if (values.list) say(FUZZ_TARGETS.map((one) => one.name));
else if (at !== undefined)
  console.log(shownInput(inputOf(FUZZ_TARGETS.find((one) => one.name === name)!, Number(seed), Number(at))));
else await tryAll(name!, Number(seed));
