import {
  type ForwardTicket,
  type LogprobGradient,
  MetaapoError,
  type OptimizerStep,
  type PassOptions,
  type PromptGroup,
  type ResponseLogprobs,
} from '@metaapo/core/contracts';
import {
  canWriteRows,
  type Executor,
  type FedTensor,
  openSession,
  type Profile,
  type ProgramSet,
  type Session,
} from '@metaapo/engine';
import * as tf from '@tensorflow/tfjs';
import { generationPrograms, type KvCacheForm, pagesOf } from './decode.js';
import { feedsOf } from './feeds.js';
import { layoutGroups, type PackedLayout } from './layout.js';
import { createOpenPass } from './open-pass.js';
import { optimizerPrograms, optimizerSteps } from './optimizer-steps.js';
import {
  type AdamWConstants,
  bodyPrograms,
  evaluateProgram,
  headBackwardProgram,
  headProgram,
  logitsProgram,
  type ProgramOptions,
} from './programs.js';

/** Bytes of one chunk of logits where nothing else is asked for: 128 MiB. */
export const DEFAULT_LOGITS_BYTES = 2 ** 27;

/** What {@link createComputation} needs. */
export interface ComputationOptions extends ProgramOptions {
  /** Present when the model is trained. */
  readonly optimizer?: AdamWConstants | undefined;
  /** Bytes that the logits of one chunk of predicted tokens may take. Default 128 MiB. */
  readonly logitsBytes?: number | undefined;
  /** Tokens that the KV cache has room for; present when the model generates. */
  readonly cachedTokens?: number | undefined;
  readonly executor?: Executor | 'auto' | undefined;
  /** Told what each primitive costs; makes the executor `eager`. */
  readonly profile?: Profile | undefined;
}

/** The mathematics of a language model on a session: token ids in, log-probabilities and gradients inside. */
export interface Computation {
  readonly session: Session;
  /** Logits `[M, vocabulary]` at the tokens that predict the responses; owned by the caller. */
  logits(groups: readonly PromptGroup[]): Promise<tf.Tensor2D>;
  /** Scores at the last token of each sequence, for models with a classification head. */
  scores(sequences: readonly Int32Array[]): Promise<Float32Array>;
  evaluate(groups: readonly PromptGroup[], options?: PassOptions): Promise<ResponseLogprobs>;
  forward(groups: readonly PromptGroup[], options?: PassOptions): Promise<ForwardTicket>;
  backward(ticket: ForwardTicket, gradient: LogprobGradient): Promise<void>;
  discard(ticket: ForwardTicket): Promise<void>;
  apply(step: OptimizerStep): Promise<{ readonly gradientNorm: number }>;
  zeroGradients(): Promise<void>;
  dispose(): void;
}

interface Pass {
  readonly layout: PackedLayout;
  readonly feeds: Readonly<Record<string, FedTensor>>;
  readonly hidden: tf.Tensor2D;
}

/** Writes the programs of a model and opens them. The session's parameters have to be written before the first pass. */
export function createComputation(options: ComputationOptions): Computation {
  const { config, optimizer } = options;
  const session = openSession(languageModelPrograms(options), options.executor, options.profile);
  const chunkRows = rowsOfChunk(options);
  const open = createOpenPass<Pass>(session);

  const hiddenOf = async (
    program: string,
    layout: PackedLayout,
    feeds: Readonly<Record<string, FedTensor>>,
  ): Promise<tf.Tensor2D> => {
    if (layout.targets.length === 0 && layout.predictingRows.shape[0] === 0) {
      throw new MetaapoError('internal', 'nothing is predicted', { where: 'a pass of the language model' });
    }
    return (await session.run(program, feeds)).hidden as tf.Tensor2D;
  };

  /** One of the head's programs over all chunks: each of its outputs `[M]`. */
  const headOf = async (
    program: 'head' | 'headEntropy',
    hidden: tf.Tensor2D,
    targets: Int32Array,
  ): Promise<Readonly<Record<string, Float32Array>>> => {
    const values: Record<string, Float32Array> = {};
    await inChunks(hidden, chunkRows, async (chunk, start, rows) => {
      const part = { data: targets.subarray(start, start + rows), shape: [rows] };
      const results = await session.run(program, { hidden: chunk, targets: part });
      try {
        for (const [name, result] of Object.entries(results)) {
          values[name] ??= new Float32Array(targets.length);
          values[name].set(await result.data<'float32'>(), start);
        }
      } finally {
        tf.dispose(results);
      }
    });
    return values;
  };

  const responsesOf = async (
    hidden: tf.Tensor2D,
    { targets, tokenCounts }: PackedLayout,
    { entropies: isWanted = false, tokenLogprobs = false }: PassOptions = {},
  ): Promise<ResponseLogprobs> => {
    const { logprobs, entropies } = await headOf(isWanted ? 'headEntropy' : 'head', hidden, targets);
    return {
      sumLogprobs: sumsOf(logprobs!, tokenCounts),
      ...(entropies && { sumEntropies: sumsOf(entropies, tokenCounts) }),
      ...(tokenLogprobs && { tokenLogprobs: logprobs!.slice(0, sumOf(tokenCounts)) }),
      tokenCounts,
    };
  };

  const evaluating = async <Result>(
    groups: readonly PromptGroup[],
    read: (hidden: tf.Tensor2D, layout: PackedLayout) => Promise<Result>,
  ): Promise<Result> => {
    const layout = layoutGroups(groups, config);
    const hidden = await hiddenOf('evaluate', layout, feedsOf(layout, config));
    try {
      return await read(hidden, layout);
    } finally {
      hidden.dispose();
    }
  };

  const hiddenGradientOf = async ({ hidden, layout }: Pass, gradient: LogprobGradient): Promise<tf.Tensor> => {
    const perToken = tokenGradient(gradient, layout);
    const parts: tf.Tensor[] = [];
    try {
      await inChunks(hidden, chunkRows, async (chunk, start, rows) => {
        const { hiddenGradient } = await session.run('headBackward', {
          hidden: chunk,
          targets: { data: layout.targets.subarray(start, start + rows), shape: [rows] },
          logprobGradient: { data: perToken.subarray(start, start + rows), shape: [rows] },
        });
        parts.push(hiddenGradient!);
      });
      return parts.length === 1 ? parts[0]!.clone() : tf.concat(parts, 0);
    } finally {
      tf.dispose(parts);
    }
  };

  return {
    session,
    logits: (groups) =>
      evaluating(groups, async (hidden, { tokenCounts }) => {
        const { logits } = await session.run('logits', { hidden });
        const predicted = tf.slice(logits as tf.Tensor2D, [0, 0], [sumOf(tokenCounts), -1]);
        logits!.dispose();
        return predicted;
      }),
    evaluate: (groups, pass) => evaluating(groups, (hidden, layout) => responsesOf(hidden, layout, pass)),
    async scores() {
      throw new MetaapoError('internal', 'a language model has no scores', { where: 'scores' });
    },
    forward(groups, pass) {
      const begin = async (): Promise<Pass> => {
        const layout = layoutGroups(groups, config);
        const feeds = feedsOf(layout, config);
        return { layout, feeds, hidden: await hiddenOf('forward', layout, feeds) };
      };
      return open.forward(begin, ({ hidden, layout }) => responsesOf(hidden, layout, pass));
    },
    backward(ticket, gradient) {
      return open.backward(ticket, async (pass) => {
        const hiddenGradient = await hiddenGradientOf(pass, gradient);
        try {
          await session.run('backward', { ...pass.feeds, hiddenGradient });
        } finally {
          hiddenGradient.dispose();
        }
      });
    },
    discard: open.discard,
    ...optimizerSteps(session, optimizer),
    dispose() {
      open.dispose();
      session.dispose();
    },
  };
}

/** What the programs of a model are written from, for training and generation too. */
export type ModelProgramOptions = ProgramOptions & Pick<ComputationOptions, 'optimizer' | 'cachedTokens'>;

/** All programs of a language model. */
export function languageModelPrograms(options: ModelProgramOptions): ProgramSet {
  const evaluate = evaluateProgram(options);
  const inference = {
    evaluate,
    head: headProgram(options),
    headEntropy: headProgram(options, { entropies: true }),
    logits: logitsProgram(options),
    ...(options.cachedTokens === undefined
      ? {}
      : generationPrograms(options, kvCacheForm(options, options.cachedTokens))),
  };
  if (options.optimizer === undefined) return inference;
  return {
    ...inference,
    ...bodyPrograms(options),
    headBackward: headBackwardProgram(options),
    ...optimizerPrograms(options, options.optimizer),
  };
}

/** Keys and values as wide as matrix products, where the backend can write rows of that type. */
function kvCacheForm({ precision }: ModelProgramOptions, cachedTokens: number): KvCacheForm {
  return { pages: pagesOf(cachedTokens), dtype: canWriteRows(precision) ? precision : 'float32' };
}

async function inChunks(
  hidden: tf.Tensor2D,
  chunkRows: number,
  visit: (chunk: tf.Tensor2D, start: number, rows: number) => Promise<void>,
): Promise<void> {
  const total = hidden.shape[0];
  for (let start = 0; start < total; start += chunkRows) {
    const rows = Math.min(chunkRows, total - start);
    const chunk = tf.slice(hidden, [start, 0], [rows, -1]);
    try {
      await visit(chunk, start, rows);
    } finally {
      chunk.dispose();
    }
  }
}

/** Sums of consecutive runs, added in float64. */
export function sumsOf(values: Float32Array, counts: Int32Array): Float32Array {
  let at = 0;
  return Float32Array.from(counts, (count) => {
    let sum = 0;
    for (const end = at + count; at < end; at++) sum += values[at]!;
    return sum;
  });
}

const sumOf = (counts: Int32Array): number => counts.reduce((sum, count) => sum + count, 0);

/** Rows of logits in a chunk: a multiple of 64 where more than that fit, so that few sizes of chunks come up. */
function rowsOfChunk({ logitsBytes = DEFAULT_LOGITS_BYTES, config: { vocabularySize } }: ComputationOptions): number {
  const rows = Math.max(1, Math.floor(logitsBytes / (4 * vocabularySize)));
  return rows > 64 ? rows - (rows % 64) : rows;
}

/** `[M]` d loss / d log-probability of each predicted token, then zeros. */
function tokenGradient(gradient: LogprobGradient, { tokenCounts, targets }: PackedLayout): Float32Array {
  const ofTokens = new Float32Array(targets.length);
  if ('perToken' in gradient) {
    checkLength(gradient.perToken, sumOf(tokenCounts), 'tokens');
    ofTokens.set(gradient.perToken);
    return ofTokens;
  }
  checkLength(gradient.perResponse, tokenCounts.length, 'responses');
  let at = 0;
  for (const [index, count] of tokenCounts.entries()) {
    ofTokens.fill(gradient.perResponse[index]!, at, at + count);
    at += count;
  }
  return ofTokens;
}

function checkLength({ length }: Float32Array, expected: number, of: string): void {
  if (length === expected) return;
  throw new MetaapoError('internal', `the gradient does not belong to the forward pass`, {
    where: 'backward',
    expected: `one number for each of ${expected} ${of}`,
    got: `${length}`,
  });
}
