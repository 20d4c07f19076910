import { type LogprobGradient, MetaapoError, type PassOptions, type ResponseLogprobs } from '@metaapo/core/contracts';
import type { Session } from '@metaapo/engine';
import * as tf from '@tensorflow/tfjs';
import type { PackedLayout } from './layout.js';

/** Bytes of one chunk of logits where nothing else is asked for: 128 MiB. */
export const DEFAULT_LOGITS_BYTES = 2 ** 27;

/** What the head of a language model computes of hidden states `[M, hidden]` (borrowed), a chunk of logits at a time. */
export interface HeadPasses {
  /** Log-probabilities of the responses of a layout, in one pass. */
  responses(hidden: tf.Tensor2D, layout: PackedLayout, options?: PassOptions): Promise<ResponseLogprobs>;
  /** Adds to the head's gradient; gives d loss / d hidden `[M, hidden]`, owned by the caller. */
  backward(hidden: tf.Tensor2D, layout: PackedLayout, gradient: LogprobGradient): Promise<tf.Tensor>;
}

/** The passes of a session that has the head's programs. */
export function createHeadPasses(
  session: Session,
  { vocabularySize, logitsBytes = DEFAULT_LOGITS_BYTES }: ChunkOptions,
): HeadPasses {
  const chunkRows = rowsOfChunk(vocabularySize, logitsBytes);
  /** One of the programs over all chunks: each of its outputs `[M]`. */
  const outputsOf = async (
    program: 'head' | 'headEntropy',
    hidden: tf.Tensor2D,
    targets: Int32Array,
  ): Promise<Readonly<Record<string, Float32Array>>> => {
    const values: Record<string, Float32Array> = {};
    await inChunks(hidden, chunkRows, async (chunk, start, rows) => {
      const results = await session.run(program, { hidden: chunk, targets: part(targets, start, rows) });
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
  return {
    async responses(hidden, { targets, tokenCounts }, { entropies: isWanted = false, tokenLogprobs = false } = {}) {
      const { logprobs, entropies } = await outputsOf(isWanted ? 'headEntropy' : 'head', hidden, targets);
      return {
        sumLogprobs: sumsOf(logprobs!, tokenCounts),
        ...(entropies && { sumEntropies: sumsOf(entropies, tokenCounts) }),
        ...(tokenLogprobs && { tokenLogprobs: logprobs!.slice(0, sumOf(tokenCounts)) }),
        tokenCounts,
      };
    },
    async backward(hidden, layout, gradient) {
      const ofTokens = tokenGradient(gradient, layout);
      const chunks: tf.Tensor[] = [];
      try {
        await inChunks(hidden, chunkRows, async (chunk, start, rows) => {
          const targets = part(layout.targets, start, rows);
          const logprobGradient = part(ofTokens, start, rows);
          const results = await session.run('headBackward', { hidden: chunk, targets, logprobGradient });
          chunks.push(results.hiddenGradient!);
        });
        return chunks.length === 1 ? chunks[0]!.clone() : tf.concat(chunks, 0);
      } finally {
        tf.dispose(chunks);
      }
    },
  };
}

/** What the size of a chunk depends on. */
export interface ChunkOptions {
  readonly vocabularySize: number;
  /** Bytes that the logits of a chunk may take; default {@link DEFAULT_LOGITS_BYTES}. */
  readonly logitsBytes?: number | undefined;
}

/** Rows of logits in a chunk: a multiple of 64 where more than that fit, so that few sizes of chunks come up. */
function rowsOfChunk(vocabularySize: number, logitsBytes: number): number {
  const rows = Math.max(1, Math.floor(logitsBytes / (4 * vocabularySize)));
  return rows > 64 ? rows - (rows % 64) : rows;
}

const part = <Values extends Int32Array | Float32Array>(values: Values, start: number, rows: number) => ({
  data: values.subarray(start, start + rows) as Values,
  shape: [rows],
});

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
function sumsOf(values: Float32Array, counts: Int32Array): Float32Array {
  let at = 0;
  return Float32Array.from(counts, (count) => {
    let sum = 0;
    for (const end = at + count; at < end; at++) sum += values[at]!;
    return sum;
  });
}

/** The sum of counts. */
export const sumOf = (counts: Int32Array): number => counts.reduce((sum, count) => sum + count, 0);

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
  throw new MetaapoError('internal', 'the gradient does not belong to the forward pass', {
    where: 'backward',
    expected: `one number for each of ${expected} ${of}`,
    got: `${length}`,
  });
}
