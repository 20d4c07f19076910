import {
  deepFrozen,
  type Objective,
  type ObjectiveInput,
  type PromptGroup,
  type TokenizedDemonstration,
  type TrainingObjective,
} from '../contracts/index.js';
import { groupOfTurn, heldOutMetrics, type TrainingMetrics } from '../trainer/index.js';
import { checkLosses } from './pair-losses.js';

/** Nothing to remember. */
const NO_STATE = deepFrozen({ numbers: {}, arrays: {} });

/**
 * Supervised fine-tuning: L = -(1 / T) sum_t log p(token t | everything before it), over all T response tokens of the
 * batch, so that every token counts the same in whatever row and micro-batch it is. In nats a token.
 */
export function sft(): Objective<'demonstration'> {
  return {
    id: 'sft',
    options: deepFrozen({}),
    trains: 'policy',
    rowForm: 'demonstration',
    readsReference: false,
    groupsOf: ({ turns }) => turns.map(groupOfTurn),
    initialState: () => NO_STATE,
    open: openDemonstrations,
  };
}

function openDemonstrations({ passes, rows, heldOut }: ObjectiveInput<TokenizedDemonstration>): TrainingObjective {
  return {
    async accumulate(indices, _state, where) {
      const turns = turnsOf(Array.from(indices, (index) => rows[index]!));
      const responseTokens = responseTokensOf(turns);
      let sumLogprobs = 0;
      await passes.forwardBackward(groupsOf(turns), (readings, { start, end }) => {
        const sums = Float32Array.from(readings, ({ values }) => values[0]!);
        checkLosses(sums, rowsOf(turns.slice(start, end)), where);
        for (const value of sums) sumLogprobs += value;
        return { perResponse: readings.map(() => Float32Array.of(-1 / responseTokens)) };
      });
      return {
        metrics: { loss: -sumLogprobs / responseTokens } satisfies TrainingMetrics,
        rows: Array.from(indices, (index) => rows[index]!.row),
        tokens: turns.reduce((sum, { group }) => sum + group.prompt.length, responseTokens),
      };
    },
    evaluate:
      heldOut &&
      (async (_state, controls) => {
        const turns = turnsOf(heldOut.rows);
        const readings = await passes.read(groupsOf(turns), controls);
        const sums = Float32Array.from(readings, ({ values }) => values[0]!);
        checkLosses(sums, rowsOf(turns), 'the evaluation');
        const loss = -sums.reduce((sum, value) => sum + value, 0) / responseTokensOf(turns);
        const perplexity = Math.exp(loss);
        return heldOutMetrics({ loss, ...(Number.isFinite(perplexity) && { perplexity }) });
      }),
  };
}

/** A response with its prompt, and the row that it belongs to. */
interface Turn {
  readonly row: number;
  readonly group: PromptGroup;
}

function turnsOf(rows: readonly TokenizedDemonstration[]): readonly Turn[] {
  return rows.flatMap(({ row, turns }) => turns.map((turn) => ({ row, group: groupOfTurn(turn) })));
}

const groupsOf = (turns: readonly Turn[]): readonly PromptGroup[] => turns.map(({ group }) => group);
const rowsOf = (turns: readonly Turn[]): readonly number[] => turns.map(({ row }) => row);

function responseTokensOf(turns: readonly Turn[]): number {
  return turns.reduce((sum, { group }) => sum + group.responses[0]!.length, 0);
}
