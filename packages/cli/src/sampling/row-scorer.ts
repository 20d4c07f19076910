import {
  askRewardModel,
  type ChatMessage,
  MetaapoError,
  type ModelDescription,
  messageText,
  type RewardModel,
  type RewardRequest,
} from '@metaapo/core/contracts';
import { orBadRow, type ResponseRow, tokenizeResponse } from '@metaapo/data';
import { encodeForReward, scoreSequences } from '@metaapo/models';
import { type ModelFlags, modelOfFlags } from '../model/model-of-flags.js';
import { describeAs, openScorer, weightsOf } from '../model/open-model.js';
import { composeAlone, composeNamed } from '../recipe/compose-parts.js';
import { parsePartFlag } from '../recipe/parse-part-flag.js';
import type { DataFlags } from '../training/data-files.js';
import type { NumberedRows } from '../training/numbered-rows.js';
import { resultKey } from './kept-results.js';

/** Flags of `metaapo reward`. */
export interface RewardFlags extends Omit<ModelFlags, 'model'>, DataFlags {
  readonly model?: string;
  /** A reward model as a part, in place of `model`. */
  readonly reward?: string;
  readonly plugin?: readonly string[];
  readonly batchTokens: number;
}

/** Rows that are scored in one call, since their rewards hold beside one another only; mostly one. */
export interface ScoredTogether {
  readonly rows: readonly number[];
  /** Keys of their rewards: equal keys mean equal rewards. */
  readonly keys: readonly string[];
}

/** What scores the rows of a file. */
export interface RowScorer {
  readonly together: readonly ScoredTogether[];
  /** How many of `together` are asked for, and kept, at a time. */
  readonly atATime: number;
  /** Rewards of each, in the order of its rows; nothing where one cannot be read. */
  score(together: readonly ScoredTogether[], signal: AbortSignal): Promise<readonly (readonly (number | null)[])[]>;
  dispose(): void | Promise<void>;
}

/** Batches of a model are made by length among so many rows. */
const ROWS_OF_A_MODEL = 512;
/** Calls of a part may be paid for: few are lost when the command is killed. */
const ROWS_OF_A_PART = 64;

/** Rows that are known to be fit for what scores them, which is not open yet. */
export interface JudgedRows {
  /** What scores them, in words. */
  readonly what: string;
  /** Rows that are left. */
  readonly count: number;
  open(): Promise<RowScorer>;
}

type Rows = Pick<NumberedRows<ResponseRow>, 'rows' | 'onBadRow'>;

/**
 * Looks at the reward model that the flags name, without its weights, and at every row: a part, or else a model of this
 * machine.
 * @throws whatever the model or the part throws, and MetaapoError with code `data` for a row that it cannot score
 */
export function judgeRows(flags: RewardFlags, read: Rows, signal: AbortSignal): Promise<JudgedRows> {
  const { model, reward } = flags;
  return reward === undefined
    ? rowsOfModel({ ...flags, model: model! }, read, signal)
    : rowsOfPart(reward, flags, read, signal);
}

/** A row by its place among those that were read, with what of it is scored. */
type FitRow<Fit> = readonly [row: number, fit: Fit];

function fitRows<Fit>({ rows, onBadRow }: Rows, fitOf: (row: ResponseRow) => Fit): readonly FitRow<Fit>[] {
  return rows.flatMap((one, row): readonly FitRow<Fit>[] => {
    const fit = orBadRow(onBadRow, () => fitOf(one));
    return fit === undefined ? [] : [[row, fit]];
  });
}

async function rowsOfModel(
  flags: RewardFlags & { readonly model: string },
  read: Rows,
  signal: AbortSignal,
): Promise<JudgedRows> {
  const { model } = await composeAlone({ model: modelOfFlags(flags) }, { signal });
  const described = await describeAs(model, 'scorer');
  const fit = fitRows(read, (row) => sequenceOf(row, described));
  return {
    what: `Reward model: ${await weightsOf(model)}`,
    count: fit.length,
    async open() {
      const { model: scorer } = await openScorer(model);
      const { fingerprint } = scorer;
      const sequences = new Map(fit);
      return {
        together: fit.map(([row, ids]) => ({ rows: [row], keys: [resultKey(fingerprint, [...ids])] })),
        atATime: ROWS_OF_A_MODEL,
        async score(together, either) {
          const ids = together.map(({ rows: [row] }) => sequences.get(row!)!);
          const rewards = await scoreSequences(scorer, ids, flags.batchTokens, either);
          return Array.from(rewards, (one) => [one]);
        },
        dispose: () => scorer.dispose(),
      };
    },
  };
}

/** The ids at whose last token the model scores: those that it was trained with. */
function sequenceOf(row: ResponseRow, { tokenizer, vocabularySize, scoreAt }: ModelDescription): Int32Array {
  if (row.form !== 'tokens' && tokenizer !== undefined && scoreAt === 'end-of-turn') {
    return encodeForReward(row, tokenizer, scoreAt);
  }
  const { prompt, response } = tokenizeResponse(row, tokenizer, vocabularySize);
  return Int32Array.of(...prompt, ...response);
}

async function rowsOfPart(
  reward: string,
  { plugin, dryRun }: RewardFlags,
  read: Rows,
  signal: AbortSignal,
): Promise<JudgedRows> {
  const wanted = parsePartFlag('--reward', reward);
  const composition = await composeNamed({ rewardModel: wanted }, { signal, plugins: plugin });
  if (dryRun === true) await composition.inspect('rewardModel');
  const fit = fitRows(read, requestOf);
  return {
    what: `Reward model: ${wanted.id}`,
    count: fit.length,
    open: async () => partScorer(await composition.make('rewardModel'), fit),
  };
}

function partScorer(rewardModel: RewardModel, fit: readonly FitRow<RewardRequest>[]): RowScorer {
  const requests = new Map(fit);
  const ask = async (rows: readonly number[], signal: AbortSignal): Promise<readonly (number | null)[]> => {
    const asked = rows.map((row) => requests.get(row)!);
    return Array.from(await askRewardModel(rewardModel, asked, signal), (one) => (Number.isNaN(one) ? null : one));
  };
  return {
    together: togetherOf(fit, rewardModel),
    atATime: ROWS_OF_A_PART,
    async score(together, signal) {
      if (rewardModel.isRelative === true) return Promise.all(together.map(({ rows }) => ask(rows, signal)));
      const rewards = await ask(
        together.map(({ rows: [row] }) => row!),
        signal,
      );
      return rewards.map((one) => [one]);
    },
    dispose: () => rewardModel.dispose?.(),
  };
}

/** A reward that compares responses is one of all responses to its prompt. */
function togetherOf(
  fit: readonly FitRow<RewardRequest>[],
  { fingerprint, isRelative }: RewardModel,
): readonly ScoredTogether[] {
  if (isRelative !== true) {
    return fit.map(([row, request]) => ({ rows: [row], keys: [resultKey(fingerprint, request)] }));
  }
  const groups = new Map<string, FitRow<RewardRequest>[]>();
  for (const one of fit) {
    const [, { prompt, chat }] = one;
    const key = JSON.stringify([prompt, chat]);
    groups.set(key, [...(groups.get(key) ?? []), one]);
  }
  return [...groups.values()].map((group) => {
    const basis = [fingerprint, group.map(([, request]) => request)];
    return { rows: group.map(([row]) => row), keys: group.map((_, at) => resultKey(...basis, at)) };
  });
}

function requestOf(row: ResponseRow): RewardRequest {
  if (row.form === 'text') return { prompt: row.prompt, response: row.response };
  if (row.form === 'messages') {
    const before: readonly ChatMessage[] = row.response.slice(0, -1);
    return { prompt: [...row.prompt, ...before], chat: row.chat, response: messageText(row.response.at(-1)!) };
  }
  throw new MetaapoError('data', 'the row holds token ids, and a part is asked about texts', {
    where: `${row.file}, row ${row.row}`,
    expected: 'a prompt and a response as text or messages',
    remedy: 'Give the texts, or a model with --model',
  });
}
