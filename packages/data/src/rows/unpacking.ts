import { isMetaapoError } from '@metaapo/core/contracts';
import { withinTime } from '@metaapo/core/storage';
import { Decompress, decompress } from 'fzstd';
import type { Compressors } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';

/** Time for a piece in milliseconds: whatever comes out of it, and for each MiB of that. */
const [LEAST_MS, MIB_MS] = [1500, 50];
/** Bytes that are unpacked at once: of such a piece come half a gigabyte at most. */
const PIECE = 2 ** 14;

/** Codecs whose decoders have loops that the data decides; those of the others take a step for each byte. */
const LOOPING = { GZIP: compressors.GZIP!, BROTLI: compressors.BROTLI!, ZSTD: zstd };

/** What unpacks the pages of parquet: into no more room than their headers say, and with an end also where they are damaged. */
export const pageUnpackers: Compressors = {
  ...compressors,
  ...Object.fromEntries(
    Object.entries(LOOPING).map(([codec, unpack]) => [
      codec,
      (input: Uint8Array, size: number) => withEnd(() => unpack(input, size), size / 2 ** 20),
    ]),
  ),
};

function zstd(input: Uint8Array, size: number): Uint8Array {
  return decompress(input, new Uint8Array(size));
}

/**
 * Zstandard in pieces: Node unpacks it itself from 22.15 on only.
 * @throws Error for what is none, or damaged
 */
export async function* unpackedZstd(packed: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let pieces: Uint8Array[] = [];
  const unpacking = new Decompress((piece) => pieces.push(piece));
  for await (const bytes of packed) {
    for (let at = 0; at < bytes.length; at += PIECE) {
      withEnd(() => unpacking.push(bytes.subarray(at, at + PIECE)));
      yield* pieces;
      pieces = [];
    }
  }
  withEnd(() => unpacking.push(new Uint8Array(0), true));
  yield* pieces;
}

/** Decoders of damaged data may go round for ever, which only a watch outside of this thread ends. */
function withEnd<Result>(unpack: () => Result, mebibytes = 0): Result {
  try {
    return withinTime(unpack, {
      where: 'packed data',
      what: 'unpacking',
      limitMs: Math.ceil(LEAST_MS + MIB_MS * mebibytes),
    });
  } catch (error) {
    if (!isMetaapoError(error) || error.code === 'interrupted') throw error;
    throw new Error('unpacking it does not end', { cause: error });
  }
}
