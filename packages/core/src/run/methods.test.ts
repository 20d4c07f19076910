import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { coinLogprob, coinPolicy } from '../../test/run/coin-policy.js';
import { coinObjective, coinRun, metaLearner } from '../../test/run/coin-run.js';
import { coinServer } from '../../test/run/coin-server.js';
import type {
  EarlierIteration,
  Objective,
  PairRule,
  ResponseSampler,
  RowFeatures,
  SampledRow,
  SelectionRule,
} from '../contracts/index.js';
import { entriesOfKind, readRunJournal } from '../journal/index.js';
import { runIterations } from './run-iterations.js';
import type { IterationParts, RunOptions } from './run-options.js';

// Whole runs, each of them resumed: a busy machine takes its time for their files.
vi.setConfig({ testTimeout: 60_000 });

async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'metaapo-methods-'));
  onTestFinished(() => rm(directory, { recursive: true }));
  return directory;
}

type More = Partial<Omit<RunOptions, 'parts'>> & { readonly parts?: Partial<IterationParts> };

async function run(output: string, { parts, ...more }: More) {
  const policy = coinPolicy();
  const options = coinRun(output, policy, coinServer().sampler);
  const { iterations } = await runIterations({ ...options, ...more, parts: { ...options.parts, ...parts } });
  return { iterations: iterations.map(({ seconds: _, ...rest }) => rest), bias: policy.bias };
}

/** A run that stops at a step counted over all iterations. */
async function stopAt(output: string, wanted: number, more: More): Promise<void> {
  let steps = 0;
  const observer = {
    step() {
      if (++steps === wanted) throw new Error('stopped');
    },
  };
  await expect(run(output, { ...more, observer })).rejects.toThrow('stopped');
}

const journalOf = (output: string) => readRunJournal(join(output, 'journal.jsonl'));

/** Selects what it is told to by what it sees, and notes that. */
function seeing(select: (earlier: readonly EarlierIteration[], features: readonly RowFeatures[]) => number[]) {
  const seen: (readonly EarlierIteration[])[] = [];
  const selection: SelectionRule = {
    id: 'seeing',
    options: {},
    readsScores: false,
    select({ features, earlier }) {
      seen.push(earlier!);
      return Int32Array.from(select(earlier!, features!));
    },
  };
  return { selection, seen };
}

describe('selection', () => {
  it('sees features of rows, and what earlier iterations found, in a resumed run too', async () => {
    /** As many rows as the iteration before had pairs with a spread of its rewards above 4, plus two. */
    const rule = () =>
      seeing((earlier, features) => {
        const found = earlier.at(-1)?.rows.filter(({ pairs, spread }) => pairs > 0 && spread! > 4).length ?? 0;
        return features.map((_, index) => index).slice(0, 2 + found);
      });
    const [output, straight] = [await temporaryDirectory(), rule()];
    const expected = await run(output, { parts: { selection: straight.selection } });
    expect(straight.seen.map((earlier) => earlier.length)).toEqual([0, 1, 2]);
    const [first] = straight.seen[1]!;
    expect(first!.rows.map(({ row }) => row)).toEqual([0, 1]);
    expect(first!.rows[0]).toMatchObject({ promptTokens: 1, chosenTokens: 3, rejectedTokens: 3, pairs: 1 });
    const journalled = entriesOfKind(await journalOf(output), 'outcomes');
    expect(journalled.slice(0, 2).map(({ iteration, rows }) => ({ iteration, rows }))).toEqual(straight.seen[2]);
    for (const step of [1, 3, 5]) {
      const stopped = await temporaryDirectory();
      await stopAt(stopped, step, { parts: { selection: rule().selection } });
      const resumed = rule();
      expect(await run(stopped, { parts: { selection: resumed.selection } })).toEqual(expected);
      expect(resumed.seen.at(-1)).toEqual(straight.seen.at(-1));
      expect(entriesOfKind(await journalOf(stopped), 'outcomes')).toEqual(journalled);
    }
  });

  it('by scores is refused where the objective knows none, before anything is done', async () => {
    const output = await temporaryDirectory();
    const { selection } = coinRun(output, coinPolicy(), coinServer().sampler).parts;
    const parts = { objective: reinforce(), selection: { ...selection, readsScores: true } };
    await expect(run(output, { parts })).rejects.toThrow(
      /selection rule every, objective reinforce.*no preference scores/,
    );
    expect(await journalOf(output)).toEqual([]);
  });
});

describe('an optimizer that begins anew', () => {
  it('is told so once an iteration, also in a resumed run, and counts its steps from there', async () => {
    /** What the policy was told, in order: numbers of steps, and where its moments were set to zero. */
    const told = async (
      output: string,
      more: Partial<RunOptions>,
      stopsAt = 0,
    ): Promise<readonly (number | string)[]> => {
      const notes: (number | string)[] = [];
      const policy = coinPolicy();
      const { apply } = policy;
      const noting = {
        ...policy,
        apply(step: Parameters<typeof apply>[0]) {
          notes.push(step.step);
          return apply(step);
        },
        resetMoments: async () => void notes.push('anew'),
      };
      const options = coinRun(output, noting, coinServer().sampler);
      let steps = 0;
      const observer = {
        step() {
          if (++steps === stopsAt) throw new Error('stopped');
        },
      };
      const running = runIterations({ ...options, ...more, observer });
      if (stopsAt > 0) await expect(running).rejects.toThrow('stopped');
      else await running;
      return notes;
    };
    const fresh = { optimizerState: 'fresh', saveEvery: 1 } as const;
    expect(await told(await temporaryDirectory(), {})).toEqual([1, 2, 3, 4, 5, 6]);
    expect(await told(await temporaryDirectory(), fresh)).toEqual(['anew', 1, 2, 'anew', 1, 2, 'anew', 1, 2]);
    const output = await temporaryDirectory();
    await told(output, fresh, 4);
    expect(await told(output, fresh)).toEqual([2, 'anew', 1, 2]);
  });

  it('is refused of a policy that cannot, before anything is done', async () => {
    const output = await temporaryDirectory();
    await expect(run(output, { optimizerState: 'fresh' })).rejects.toThrow(
      /cannot begin anew.*optimizerState to carry/s,
    );
    expect(await journalOf(output)).toEqual([]);
  });
});

describe('whole batches', () => {
  it('leave out what does not fill one, and an iteration without any trains nothing and says so', async () => {
    const small = await run(await temporaryDirectory(), { batchSize: 3, lastBatch: 'drop' });
    expect(small.iterations.map(({ steps }) => steps)).toEqual([1, 1, 1]);
    const said: string[] = [];
    const observer = { warning: (text: string) => void said.push(text) };
    const none = await run(await temporaryDirectory(), { batchSize: 5, lastBatch: 'drop', observer });
    expect(none.iterations.map(({ steps }) => steps)).toEqual([0, 0, 0]);
    expect(said[0]).toMatch(/iteration 1 trains nothing: its 4 rows are fewer than a batch of 5/);
  });

  it('are none where no row has an online pair and others are left out, which is said', async () => {
    const said: string[] = [];
    const observer = { warning: (text: string) => void said.push(text) };
    const output = await temporaryDirectory();
    const { selection } = coinRun(output, coinPolicy(), coinServer().sampler).parts;
    const parts = {
      objective: coinObjective(metaLearner, 100, 'drop'),
      selection: { ...selection, select: () => Int32Array.of() },
    };
    const { iterations } = await run(output, { parts, observer });
    expect(iterations.map(({ steps }) => steps)).toEqual([0, 0, 0]);
    expect(said[0]).toMatch(/iteration 1 trains nothing: none of its 4 rows has an online pair.*unselected: drop/);
  });
});

describe('cut responses', () => {
  it('that are to get an end token are refused where none is known', async () => {
    const output = await temporaryDirectory();
    await expect(run(output, { truncated: 'keep-ended' })).rejects.toThrow(/end-of-sequence token, and none is known/);
    expect((await run(output, { truncated: 'keep-ended', cutEnd: Int32Array.of(1) })).iterations).toHaveLength(3);
  });
});

describe('a pair rule', () => {
  it('may give several pairs a prompt, with margins, and sees the row', async () => {
    const seen = new Set<number>();
    /** The best over every other one that is worse. */
    const pairs: PairRule = {
      id: 'best-over-all',
      options: {},
      pair(responses, _, __, row) {
        seen.add(row!.row);
        const [best, ...others] = [...responses].sort((a, b) => b.reward - a.reward);
        const worse = others.filter(({ reward }) => reward < best!.reward);
        if (worse.length === 0) return { reason: 'tie' };
        return { pairs: worse.map((rejected) => ({ chosen: best!, rejected })) };
      },
    };
    const more = { parts: { pairs }, responsesPerPrompt: 4, saveEvery: 1 };
    const output = await temporaryDirectory();
    const straight = await run(output, more);
    expect(seen).toEqual(new Set(Array.from({ length: 12 }, (_, row) => row)));
    const outcomes = entriesOfKind(await journalOf(output), 'outcomes').flatMap(({ rows }) => rows);
    const made = outcomes.reduce((sum, row) => sum + row.pairs, 0);
    expect(made).toBeGreaterThan(12);
    expect(straight.iterations.reduce((sum, { pairs: counts }) => sum + counts.pairs, 0)).toBe(made);
    const stopped = await temporaryDirectory();
    await stopAt(stopped, 4, more);
    expect(await run(stopped, more)).toEqual(straight);
  });
});

/** Policy gradient on single tokens: rewards of a prompt less their mean, over the tokens of a batch. */
function reinforce(readsReference: Objective['readsReference'] = false) {
  const rows = new Map<number, SampledRow>();
  const references: (readonly Float32Array[] | undefined)[] = [];
  const objective: Objective<'sampled'> = {
    id: 'reinforce',
    options: {},
    trains: 'policy',
    rowForm: 'sampled',
    readsReference,
    groupsOf: ({ prompt, responses }) => [{ prompt, responses: responses.map(({ tokens }) => tokens) }],
    initialState: () => ({ numbers: {}, arrays: {} }),
    open(input) {
      for (const row of input.rows) rows.set(row.row, row);
      references.push(input.reference);
      return {
        async accumulate(indices, state) {
          const batch = Array.from(indices, (index) => input.rows[index]!);
          const tokens = batch.flatMap(({ responses }) => responses).reduce((sum, one) => sum + one.tokens.length, 0);
          const groups = batch.flatMap((row) => objective.groupsOf(row));
          await input.passes.forwardBackward(
            groups,
            (_, { start, end }) => ({
              perToken: batch.slice(start, end).map(({ responses }) => {
                const mean = responses.reduce((sum, { reward }) => sum + reward, 0) / responses.length;
                return responses.map((one) => perTokenOf(one, mean, tokens));
              }),
            }),
            { tokenLogprobs: true },
          );
          return {
            metrics: { loss: 0 },
            rows: batch.map(({ row }) => row),
            tokens,
            afterStep: () => ({ state, metrics: {} }),
          };
        },
      };
    },
  };
  return Object.assign(objective, { rows, references });
}

const perTokenOf = ({ tokens, reward }: SampledRow['responses'][number], mean: number, all: number): Float32Array =>
  new Float32Array(tokens.length).fill(-(reward - mean) / all);

/** A sampler that gives log-probabilities where it is asked to. */
function withLogprobs(sampler: ResponseSampler): ResponseSampler {
  return {
    ...sampler,
    async *sample(requests, signal) {
      const isWanted = new Map(requests.map(({ row, logprobs }) => [row, logprobs === true]));
      for await (const { row, responses } of sampler.sample(requests, signal)) {
        const given = responses.map((one) => ({
          ...one,
          logprobs: Float32Array.from(one.tokens, (token) => coinLogprob(0, token)),
        }));
        yield { row, responses: isWanted.get(row) ? given : responses };
      }
    },
  };
}

describe('an objective on sampled responses', () => {
  it('is trained on the rewarded responses of the loop, without pairs, and resumed to the same', async () => {
    const more = (trained: Objective<'sampled'>) => ({
      parts: { objective: trained, sampler: withLogprobs(coinServer().sampler) },
      saveEvery: 1,
    });
    const [output, objective] = [await temporaryDirectory(), reinforce()];
    const straight = await run(output, more(objective));
    expect(straight.bias).toBeGreaterThan(0);
    expect(objective.rows.size).toBe(12);
    const { responses } = objective.rows.get(3)!;
    expect(responses.map(({ reward }) => reward)).toEqual(
      responses.map(({ tokens }) => tokens.reduce((sum, token) => sum + token, 0)),
    );
    expect(responses[0]!.logprobs).toEqual(Float32Array.from(responses[0]!.tokens, () => Math.log(0.5)));
    const [summary] = straight.iterations;
    expect(summary).toMatchObject({
      pairs: { pairs: 0, responses: 8 },
      annotations: { done: 8 },
      curve: { scores: [] },
    });
    expect(new Set(summary!.samples.map(({ fate }) => fate))).toEqual(new Set(['sampled']));
    const stopped = await temporaryDirectory();
    await stopAt(stopped, 3, more(reinforce()));
    const again = reinforce();
    expect(await run(stopped, more(again))).toEqual(straight);
    expect(again.rows.get(5)).toEqual(objective.rows.get(5));
  });

  it('gets log-probabilities of the reference, token by token where it reads them so', async () => {
    const objective = reinforce('tokens');
    const openReference = async () => coinPolicy(1);
    const more = { parts: { objective }, openReference, iterations: 1 };
    const { iterations } = await run(await temporaryDirectory(), more);
    expect(iterations[0]!.kl!.responses).toBe(12);
    const [reference] = objective.references;
    const { responses } = objective.rows.get(0)!;
    const expected = Float32Array.from(
      responses.flatMap(({ tokens }) => [...tokens].map((one) => coinLogprob(1, one))),
    );
    expect(reference![0]).toEqual(expected);
  });
});
