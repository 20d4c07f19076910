import {
  type ChatMessage,
  MetaapoError,
  messageText,
  type RewardModel,
  type RewardRequest,
  type TextScorer,
} from '@metaapo/core/contracts';
import { type ResponseRow, tokenizeResponse } from '@metaapo/data';
import { encodeForReward, scoreSequences } from '@metaapo/models';
import { type ModelFlags, modelOfFlags } from '../model/model-of-flags.js';
import { openScorer } from '../model/open-model.js';
import { composeAlone } from '../recipe/compose-parts.js';
import { parsePartFlag } from '../recipe/parse-part-flag.js';
import type { DataFlags } from '../training/data-files.js';
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

/**
 * Opens the reward model that the flags name: a part, or else a model of this machine.
 * @throws whatever the model or the part throws
 */
export function openRowScorer(
  flags: RewardFlags,
  rows: readonly ResponseRow[],
  signal: AbortSignal,
): Promise<RowScorer> {
  const { model, reward } = flags;
  return reward === undefined
    ? modelScorer({ ...flags, model: model! }, rows, signal)
    : partScorer(reward, flags, rows, signal);
}

async function modelScorer(
  flags: RewardFlags & { readonly model: string },
  rows: readonly ResponseRow[],
  signal: AbortSignal,
): Promise<RowScorer> {
  const { model } = await composeAlone({ model: modelOfFlags(flags) }, { signal });
  const loaded = await openScorer(model);
  try {
    const sequences = rows.map((row) => sequenceOf(row, loaded));
    return {
      together: sequences.map((ids, row) => ({ rows: [row], keys: [resultKey(loaded.model.fingerprint, [...ids])] })),
      atATime: ROWS_OF_A_MODEL,
      async score(together, either) {
        const ids = together.map(({ rows: [row] }) => sequences[row!]!);
        const rewards = await scoreSequences(loaded.model, ids, flags.batchTokens, either);
        return Array.from(rewards, (reward) => [reward]);
      },
      dispose: () => loaded.model.dispose(),
    };
  } catch (error) {
    loaded.model.dispose();
    throw error;
  }
}

/** The ids at whose last token the model scores: those that it was trained with. */
function sequenceOf(row: ResponseRow, { tokenizer, vocabularySize, scoreAt }: TextScorer): Int32Array {
  if (row.form !== 'tokens' && tokenizer !== undefined && scoreAt === 'end-of-turn') {
    return encodeForReward(row, tokenizer, scoreAt);
  }
  const { prompt, response } = tokenizeResponse(row, tokenizer, vocabularySize);
  return Int32Array.of(...prompt, ...response);
}

async function partScorer(
  reward: string,
  { plugin }: RewardFlags,
  rows: readonly ResponseRow[],
  signal: AbortSignal,
): Promise<RowScorer> {
  const requests = rows.map(requestOf);
  const wanted = parsePartFlag('--reward', reward);
  const { rewardModel } = await composeAlone({ rewardModel: wanted }, { signal, plugins: plugin });
  return {
    together: togetherOf(requests, rewardModel),
    atATime: ROWS_OF_A_PART,
    async score(together, either) {
      const ask = async (indices: readonly number[]): Promise<readonly (number | null)[]> => {
        const rewards = await rewardModel.score(
          indices.map((row) => requests[row]!),
          either,
        );
        return Array.from(rewards, (one) => (Number.isNaN(one) ? null : one));
      };
      if (rewardModel.isRelative === true) return Promise.all(together.map(({ rows: group }) => ask(group)));
      const rewards = await ask(together.map(({ rows: [row] }) => row!));
      return rewards.map((one) => [one]);
    },
    dispose: () => rewardModel.dispose?.(),
  };
}

/** A reward that compares responses is one of all responses to its prompt. */
function togetherOf(requests: readonly RewardRequest[], rewardModel: RewardModel): readonly ScoredTogether[] {
  const { fingerprint, isRelative } = rewardModel;
  if (isRelative !== true) {
    return requests.map((request, row) => ({ rows: [row], keys: [resultKey(fingerprint, request)] }));
  }
  const groups = new Map<string, number[]>();
  for (const [row, { prompt, chat }] of requests.entries()) {
    const key = JSON.stringify([prompt, chat]);
    groups.set(key, [...(groups.get(key) ?? []), row]);
  }
  return [...groups.values()].map((rows) => {
    const basis = [fingerprint, rows.map((row) => requests[row])];
    return { rows, keys: rows.map((_, at) => resultKey(...basis, at)) };
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
