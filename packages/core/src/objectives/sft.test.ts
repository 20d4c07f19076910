import { describe, expect, it } from 'vitest';
import type { ForwardTicket, PromptGroup, TokenizedDemonstration, TrainableModel } from '../contracts/index.js';
import { policyPasses } from '../trainer/index.js';
import { sft } from './sft.js';

const ids = (length: number): Int32Array => new Int32Array(length);
const row = (number: number, ...turns: (readonly [prompt: number, response: number])[]): TokenizedDemonstration => ({
  row: number,
  turns: turns.map(([prompt, response]) => ({ prompt: ids(prompt), response: ids(response) })),
});

/** A model whose every token has log-probability -1/2, or, in responses of `badLength` tokens, none. */
function halfNatModel(badLength?: number) {
  const backward: { readonly lengths: readonly number[]; readonly gradient: readonly number[] }[] = [];
  const discarded: number[] = [];
  const open = new Map<number, readonly PromptGroup[]>();
  const logprobs = (groups: readonly PromptGroup[]) => {
    const lengths = groups.flatMap(({ responses }) => responses.map(({ length }) => length));
    return {
      sumLogprobs: Float32Array.from(lengths, (length) => (length === badLength ? Number.NaN : -length / 2)),
      tokenCounts: Int32Array.from(lengths),
    };
  };
  const model = {
    forward: async (groups: readonly PromptGroup[]): Promise<ForwardTicket> => {
      open.set(open.size, groups);
      return { id: open.size - 1, ...logprobs(groups) };
    },
    backward: async ({ id }: ForwardTicket, { perResponse }: { readonly perResponse: Float32Array }) => {
      const lengths = open.get(id)!.map(({ responses }) => responses[0]!.length);
      backward.push({ lengths, gradient: [...perResponse] });
    },
    discard: async ({ id }: ForwardTicket) => void discarded.push(id),
    evaluate: async (groups: readonly PromptGroup[]) => logprobs(groups),
  } as unknown as TrainableModel;
  return { model, backward, discarded };
}

const rows = [row(4, [2, 3], [6, 1]), row(7, [1, 4]), row(9, [5, 8])];
const state = sft().initialState(0);

/** The objective over these rows. */
function over(model: TrainableModel, microBatchTokens: number, heldOut?: readonly TokenizedDemonstration[]) {
  const passes = policyPasses(model, microBatchTokens);
  return sft().open({ passes, rows, heldOut: heldOut && { rows: heldOut } });
}

describe('the objective of fine-tuning', () => {
  it('gives every response token of the batch the same weight, in whatever micro-batch it is', async () => {
    for (const microBatchTokens of [1000, 13, 1]) {
      const { model, backward } = halfNatModel();
      const objective = over(model, microBatchTokens);
      const outcome = await objective.accumulate(Int32Array.of(2, 0), state, 'step 1');
      // 8 + 3 + 1 response tokens; prompts of 5, 2 and 6 tokens.
      expect(outcome).toEqual({ metrics: { loss: 0.5 }, rows: [9, 4], tokens: 25 });
      expect(backward.flatMap(({ lengths }) => lengths)).toEqual([8, 3, 1]);
      const share = Math.fround(-1 / 12);
      expect(backward.flatMap(({ gradient }) => gradient)).toEqual([share, share, share]);
    }
  });

  it('names the row of a loss that is no number, and lets the activations go', async () => {
    const { model, backward, discarded } = halfNatModel(4);
    const objective = over(model, 12);
    const failed = objective.accumulate(Int32Array.of(0, 1), state, 'step 3');
    await expect(failed).rejects.toThrow(/step 3: the loss is not finite.*rows 7/);
    expect([backward.length, discarded]).toEqual([1, [1]]);
  });

  it('evaluates held-out rows only where there are any', async () => {
    const { model } = halfNatModel();
    expect(over(model, 10).evaluate).toBeUndefined();
    const { evaluate } = over(model, 10, rows.slice(1));
    const seen: (readonly [number, number])[] = [];
    const metrics = await evaluate!(state, { progress: (done, total) => void seen.push([done, total]) });
    expect(metrics).toEqual({ eval_loss: 0.5, eval_perplexity: Math.exp(0.5) });
    expect(seen).toEqual([
      [1, 2],
      [2, 2],
    ]);
  });

  it('refuses an evaluation that is no number, and stops one that is not wanted any more', async () => {
    const { model } = halfNatModel(8);
    const { evaluate } = over(model, 100, rows);
    await expect(evaluate!(state, {})).rejects.toThrow(/evaluation: the loss is not finite.*rows 9/);
    const signal = AbortSignal.abort();
    await expect(evaluate!(state, { signal })).rejects.toThrow();
  });
});
