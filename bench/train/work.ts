import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { BenchRows } from './prepare.js';

/** Floating-point operations of one step as each side computes it, without recomputation. */
export interface Work {
  /** The prompt once for all of its responses, logits of response tokens only, no padding. */
  readonly ours: number;
  /** Every response with its prompt, padded to the longest, logits of every token. */
  readonly peer: number;
}

/** Counts matrix products: forward and backward together are three times the forward, two with an adapter. */
export async function workOf(model: string, rows: BenchRows, isAdapter: boolean): Promise<Work> {
  const config = JSON.parse(await readFile(join(model, 'config.json'), 'utf8')) as Record<string, number>;
  const {
    hidden_size: hidden,
    num_hidden_layers: layers,
    num_attention_heads: heads,
  } = config as Required<typeof config>;
  const headDim = config.head_dim ?? hidden! / heads!;
  const keyHeads = config.num_key_value_heads ?? heads!;
  const attentionWeights = hidden! * headDim * (heads! + 2 * keyHeads) + heads! * headDim * hidden!;
  const perToken = 2 * layers! * (attentionWeights + 3 * hidden! * config.intermediate_size!);
  const perContext = 4 * layers! * heads! * headDim;
  const perLogitRow = 2 * hidden! * config.vocab_size!;
  const forward = (tokens: number, context: number, logitRows: number): number =>
    tokens * perToken + context * perContext + logitRows * perLogitRow;
  const passes = isAdapter ? 2 : 3;
  const longest = Math.max(...rows.flatMap(({ prompt, responses }) => responses.map((r) => prompt.length + r.length)));
  let [ours, peer] = [0, 0];
  for (const { prompt, responses } of rows) {
    ours += forward(prompt.length, triangle(prompt.length), 0);
    for (const { length } of responses) {
      ours += forward(length, length * prompt.length + triangle(length), length);
      peer += forward(longest, triangle(longest), longest - 1);
    }
  }
  return { ours: passes * ours, peer: passes * peer };
}

/** Tokens that n tokens in a row attend to, themselves included. */
const triangle = (count: number): number => (count * (count + 1)) / 2;
