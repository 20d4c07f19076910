import {
  MetaapoError,
  type Objective,
  type ObjectiveInput,
  type ObjectiveState,
  type TokenizedDemonstration,
  type TrainingObjective,
} from '@metaapo/core/contracts';
import { describe, expect, it } from 'vitest';
import { describeObjective } from '../src/index.js';
import { faultsOf } from './faults.js';

type Input = ObjectiveInput<TokenizedDemonstration>;

const stateOf = (steps: number, seen: number): ObjectiveState => ({
  numbers: { steps },
  arrays: { seen: { shape: [1], values: Float32Array.of(seen) } },
});

const groupsOf = (rows: readonly TokenizedDemonstration[]) =>
  rows.flatMap(({ turns }) => turns.map(({ prompt, response }) => ({ prompt, responses: [response] })));

/** Mean of -log p over responses, ever heavier with the steps that are done: an objective with nothing wrong. */
function soundly({ passes, rows, heldOut }: Input): TrainingObjective {
  return {
    async accumulate(indices, state, where) {
      const batch = Array.from(indices, (index) => rows[index]!);
      const groups = groupsOf(batch);
      const share = (1 + state.numbers.steps! / 8) / groups.length;
      let loss = 0;
      await passes.forwardBackward(groups, (readings) => {
        for (const { values } of readings) loss -= share * values[0]!;
        if (!Number.isFinite(loss)) throw new MetaapoError('numerics', 'the loss is not finite', { where });
        return { perResponse: readings.map(() => Float32Array.of(-share)) };
      });
      const seen = state.arrays.seen!.values[0]! + batch.length;
      return {
        metrics: { loss },
        rows: batch.map(({ row }) => row),
        tokens: groups.reduce((sum, { prompt, responses }) => sum + prompt.length + responses[0]!.length, 0),
        afterStep: (step) => ({ state: stateOf(step, seen), metrics: { seen } }),
      };
    },
    evaluate:
      heldOut &&
      (async (_, controls) => {
        const readings = await passes.read(groupsOf(heldOut.rows), controls);
        return { eval_loss: -readings.reduce((sum, { values }) => sum + values[0]!, 0) / readings.length };
      }),
  };
}

const SOUND: Objective<'demonstration'> = {
  id: 'sound',
  options: Object.freeze({}),
  trains: 'policy',
  rowForm: 'demonstration',
  readsReference: false,
  groupsOf: (row) => groupsOf([row]),
  initialState: () => stateOf(0, 0),
  open: soundly,
};

const broken =
  (fault: Partial<Objective<'demonstration'>>): (() => Objective<'demonstration'>) =>
  () => ({ ...SOUND, ...fault });

/** The sound objective whose opened form is changed. */
const opened = (change: (sound: TrainingObjective, input: Input) => Partial<TrainingObjective>) =>
  broken({ open: (input) => ({ ...soundly(input), ...change(soundly(input), input) }) });

/** The sound objective with its gradients changed on their way. */
const withGradient = (change: (gradient: Float32Array, at: number, size: number) => Float32Array) =>
  broken({
    open: (input) => {
      const { passes } = input;
      return soundly({
        ...input,
        passes: {
          ...passes,
          forwardBackward: (groups, gradientOf, wishes) =>
            passes.forwardBackward(
              groups,
              async (readings, range) => {
                const given = (await gradientOf(readings, range)) as { readonly perResponse: readonly Float32Array[] };
                const { perResponse } = given;
                return { perResponse: perResponse.map((one, at) => change(one, range.start + at, perResponse.length)) };
              },
              wishes,
            ),
        },
      });
    },
  });

/** Counts steps outside of its state. */
function secretive(): Objective<'demonstration'> {
  let steps = 0;
  return {
    ...SOUND,
    open: (input) => {
      const sound = soundly(input);
      return {
        ...sound,
        async accumulate(indices, state, where) {
          const hidden = { ...state, numbers: { steps } };
          const outcome = await sound.accumulate(indices, hidden, where);
          return {
            ...outcome,
            afterStep: (step) => {
              steps = step;
              return { state, metrics: {} };
            },
          };
        },
      };
    },
  };
}

const MUTANTS: readonly (readonly [name: string, create: () => Objective<'demonstration'>, fault: RegExp])[] = [
  ['an id with capitals', broken({ id: 'Sound' }), /id is not kebab-case/],
  ['a form of rows that nobody knows', broken({ trains: 'critic' as never }), /trains is "critic"/],
  ['nothing to compute of a row', broken({ groupsOf: () => [] }), /groupsOf gives nothing to compute/],
  ['a gradient twice too large', withGradient((one) => one.map((value) => 2 * value)), /by finite differences/],
  [
    'a gradient of the first responses alone',
    withGradient((one, at) => (at < 2 ? one : one.map(() => 0))),
    /the gradient of token .* is 0, by finite/,
  ],
  [
    'a gradient that is shared out in each micro-batch',
    withGradient((one, _, size) => one.map((value) => value / size)),
    /in micro-batches of one group has the gradient/,
  ],
  [
    'a loss without its name',
    opened(({ accumulate }) => ({
      accumulate: async (...given) => ({ ...(await accumulate(...given)), metrics: { nll: 1 } }),
    })),
    /no metric loss/,
  ],
  [
    'rows that it forgets to name',
    opened(({ accumulate }) => ({
      async accumulate(...given) {
        const outcome = await accumulate(...given);
        return { ...outcome, rows: outcome.rows.slice(1) };
      },
    })),
    /a batch of rows .* names rows/,
  ],
  [
    'rows that it forgets to train',
    opened(({ accumulate }, { rows }) => ({
      async accumulate(indices, ...given) {
        const outcome = await accumulate(indices.slice(1), ...given);
        return { ...outcome, rows: Array.from(indices, (index) => rows[index]!.row) };
      },
    })),
    /trains nothing of row/,
  ],
  [
    'no tokens',
    opened(({ accumulate }) => ({ accumulate: async (...given) => ({ ...(await accumulate(...given)), tokens: 0 }) })),
    /counts 0 tokens/,
  ],
  ['a memory outside of its state', secretive, /after its state is stored a step gives other metrics/],
  [
    'a state that is changed in place',
    opened(({ accumulate }) => ({
      async accumulate(indices, state, where) {
        const outcome = await accumulate(indices, state, where);
        state.arrays.seen!.values[0]! += indices.length;
        return outcome;
      },
    })),
    /changes the state that it was given in place/,
  ],
  [
    'rows that are changed',
    opened(({ accumulate }, { rows }) => ({
      async accumulate(...given) {
        const outcome = await accumulate(...given);
        rows[0]!.turns[0]!.prompt[0]! += 1;
        return outcome;
      },
    })),
    /changes its rows/,
  ],
  ['a first state by chance', broken({ initialState: () => stateOf(0, Math.random()) }), /another state for the same/],
  [
    'a first state that is shared',
    (() => {
      const shared = stateOf(0, 0.5);
      return broken({ initialState: () => shared });
    })(),
    /same array twice/,
  ],
  [
    'a state that does not fill its shape',
    broken({
      initialState: () => ({ ...stateOf(0, 0), arrays: { seen: { shape: [2], values: Float32Array.of(1) } } }),
    }),
    /1 values for the shape \[2\]/,
  ],
  [
    'a loss NaN that is taken',
    opened((_, { passes, rows }) => ({
      async accumulate(indices) {
        const batch = Array.from(indices, (index) => rows[index]!);
        await passes.forwardBackward(groupsOf(batch), (readings) => ({
          perResponse: readings.map(() => Float32Array.of(0)),
        }));
        return { metrics: { loss: 0 }, rows: batch.map(({ row }) => row), tokens: 1 };
      },
    })),
    /accepts a log-probability NaN/,
  ],
  ['a reference that it can do without', broken({ readsReference: 'sums' }), /without one takes them/],
  [
    'an evaluation with gradient',
    opened(({ accumulate }, { heldOut }) => ({
      evaluate:
        heldOut && (async (state) => ({ eval_loss: (await accumulate(Int32Array.of(0), state, 'x')).metrics.loss! })),
    })),
    /an evaluation adds to the gradients/,
  ],
  [
    'an evaluation under the names of a step',
    opened((_, { heldOut }) => ({ evaluate: heldOut && (async () => ({ loss: 1 })) })),
    /expected finite metrics eval_/,
  ],
  [
    'an evaluation of nothing',
    opened(() => ({ evaluate: async () => ({ eval_loss: 1 }) })),
    /offers an evaluation without held-out rows/,
  ],
];

describe('the kit for objectives', () => {
  it('passes a sound objective', async () => {
    expect(await faultsOf((test) => describeObjective(test, () => SOUND))).toEqual(new Map());
  });

  it.each(MUTANTS)('catches %s', async (_, create, fault) => {
    const faults = await faultsOf((test) => describeObjective(test, create));
    expect([...faults.values()].join('\n')).toMatch(fault);
  });
});
