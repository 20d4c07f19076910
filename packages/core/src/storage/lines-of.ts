import { createReadStream } from 'node:fs';

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

/** The lines of a file one after the other, however large it is; none where there is no file. */
export async function* linesOf(file: string): AsyncGenerator<FileLine> {
  let rest: Buffer[] = [];
  let end = 0;
  const take = (last: Buffer): string => {
    const text = Buffer.concat([...rest, last]).toString('utf8');
    rest = [];
    return text;
  };
  for await (const chunk of chunksOf(file)) {
    let from = 0;
    for (let at = chunk.indexOf(NEWLINE); at >= 0; at = chunk.indexOf(NEWLINE, from)) {
      const length = rest.reduce((sum, part) => sum + part.length, 0) + at - from + 1;
      end += length;
      yield { text: take(chunk.subarray(from, at)), end, isWhole: true };
      from = at + 1;
    }
    if (from < chunk.length) rest.push(chunk.subarray(from));
  }
  const left = rest.reduce((sum, part) => sum + part.length, 0);
  if (left > 0) yield { text: take(Buffer.alloc(0)), end: end + left, isWhole: false };
}

async function* chunksOf(file: string): AsyncGenerator<Buffer> {
  try {
    yield* createReadStream(file, { highWaterMark: 2 ** 20 }) as AsyncIterable<Buffer>;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}
