// Processor time of this side of a training step on a service: 512 sequences of 700 tokens are read, and trained, in either
// form of the wire. The service is another process, and only its answers are counted:
//   pnpm bench training-client [--sequences 512] [--tokens 700] [--turns 3]
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { PromptGroup } from '@metaapo/core/contracts';
import { tinker } from '@metaapo/tinker';
import { smallServer } from '../packages/tinker/test/small-server.js';

const VOCABULARY = 5;
/** Of a group of two responses; the rest is each response's own. */
const PROMPT = 200;

if (process.argv.includes('--serve')) {
  const wires = ['json', 'protobuf'] as const;
  const options = { kind: 'skyrl-jax', repeats: 'ignored', vocabulary: VOCABULARY, chunk: 1024 } as const;
  process.send!((await smallServer({ ...options, wires })).url);
} else {
  await measure();
}

async function measure(): Promise<void> {
  const { values: flags } = parseArgs({
    options: {
      sequences: { type: 'string', default: '512' },
      tokens: { type: 'string', default: '700' },
      turns: { type: 'string', default: '3' },
    },
  });
  const child = fork(fileURLToPath(import.meta.url), ['--serve']);
  const [url] = (await once(child, 'message')) as [string];
  const groups = groupsOf(Number(flags.sequences), Number(flags.tokens));
  try {
    for (const wire of ['json', 'protobuf'] as const) {
      for (let turn = 1; turn <= Number(flags.turns); turn++) {
        console.log(`${wire}, turn ${turn}: ${await stepOf(url, wire, groups)}`);
      }
    }
  } finally {
    child.kill();
  }
}

function groupsOf(sequences: number, tokens: number): PromptGroup[] {
  const ids = (length: number, seed: number): Int32Array =>
    Int32Array.from({ length }, (_, at) => (at * 7 + seed * 3) % VOCABULARY);
  return Array.from({ length: sequences / 2 }, (_, index) => ({
    prompt: ids(PROMPT, index),
    responses: [ids(tokens - PROMPT, index + 1), ids(tokens - PROMPT, index + 2)],
  }));
}

/** What a step takes of this process' processor time and of its memory. */
async function stepOf(url: string, wire: 'json' | 'protobuf', groups: readonly PromptGroup[]): Promise<string> {
  const text = { eosTokenIds: [0], vocabularySize: VOCABULARY, contextLength: 4096, fingerprint: 'small' };
  const source = tinker(
    { url, base: 'tiny', wire, server: 'skyrl-jax', saveEvery: 1000 },
    { env: process.env, describeText: async () => text },
  );
  const optimizer = { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0 };
  const { model } = await source.openPolicy({ optimizer, seed: 1, longestRow: 4096 });
  globalThis.gc?.();
  const bytes = (): number => process.memoryUsage().arrayBuffers + process.memoryUsage().external;
  const before = bytes();
  let most = 0;
  const watch = setInterval(() => {
    most = Math.max(most, bytes() - before);
  }, 200);
  const start = process.cpuUsage();
  const ticket = await model.forward(groups);
  const read = process.cpuUsage(start);
  await model.backward(ticket, { perResponse: ticket.sumLogprobs.map(() => 0.25) });
  await model.apply({ ...optimizer, learningRate: 1e-5, step: 1 });
  const whole = process.cpuUsage(start);
  clearInterval(watch);
  await source.dispose?.();
  const seconds = ({ user, system }: NodeJS.CpuUsage): string => ((user + system) / 1e6).toFixed(3);
  return `reading ${seconds(read)} s, reading and training ${seconds(whole)} s of processor time; ${(most / 2 ** 20).toFixed(0)} MiB of buffers at most`;
}
