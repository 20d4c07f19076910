import { createReadStream } from 'node:fs';
import { MetaapoError } from '../contracts/index.js';

/** A line of a file. */
export interface FileLine {
  /** Without its end. */
  readonly text: string;
  /** Bytes of the file up to and with the line's end. */
  readonly end: number;
  /** False for a last line that has no end. */
  readonly isWhole: boolean;
}

const NEWLINE = 0x0a;

/** Bytes of a line, far more than the largest entry of a journal has. */
const MOST_BYTES = 2 ** 28;

/**
 * The lines of a file one after the other, however large it is; none where there is no file.
 * @throws MetaapoError with code `data` for a line longer than any that is written
 */
export async function* linesOf(file: string): AsyncGenerator<FileLine> {
  let rest: Buffer[] = [];
  let [end, held] = [0, 0];
  const take = (last: Buffer): string => {
    const text = Buffer.concat([...rest, last]).toString('utf8');
    [rest, held] = [[], 0];
    return text;
  };
  for await (const chunk of chunksOf(file)) {
    let from = 0;
    for (let at = chunk.indexOf(NEWLINE); at >= 0; at = chunk.indexOf(NEWLINE, from)) {
      end += held + at - from + 1;
      yield { text: take(chunk.subarray(from, at)), end, isWhole: true };
      from = at + 1;
    }
    if (from < chunk.length) rest.push(chunk.subarray(from));
    held += chunk.length - from;
    if (held > MOST_BYTES) throw tooLong(file);
  }
  if (held > 0) {
    const whole = end + held;
    yield { text: take(Buffer.alloc(0)), end: whole, isWhole: false };
  }
}

function tooLong(file: string): MetaapoError {
  return new MetaapoError('data', 'a line has no end', {
    where: file,
    expected: `lines of at most ${MOST_BYTES} bytes`,
    remedy: 'Restore the file from a copy',
  });
}

async function* chunksOf(file: string): AsyncGenerator<Buffer> {
  try {
    yield* createReadStream(file, { highWaterMark: 2 ** 20 }) as AsyncIterable<Buffer>;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}
