import { isMetaapoError } from '@metaapo/core/contracts';
import { withinTime } from '@metaapo/core/storage';
import { Decompress } from 'fzstd';
import type { Compressors, FileMetaData } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { ZSTDDecoder } from 'zstddec';

/** Time for a piece in milliseconds: whatever comes out of it, and for each MiB of that. */
const [LEAST_MS, MIB_MS] = [1500, 50];
/** Bytes that are unpacked at once: of such a piece come half a gigabyte at most. */
const PIECE = 2 ** 14;

const libzstd = new ZSTDDecoder();

/** What unpacks the pages of a parquet file: into no more room than their headers say, and with an end also where they are damaged. */
export async function pageUnpackersOf({ row_groups: groups }: FileMetaData): Promise<Compressors> {
  if (groups.some(({ columns }) => columns.some(({ meta_data: column }) => column?.codec === 'ZSTD'))) {
    await libzstd.init();
  }
  return PAGE_UNPACKERS;
}

/** The loops of the decoders of gzip and brotli are decided by the data; those of the others take a step for each byte. */
const PAGE_UNPACKERS: Compressors = {
  ...compressors,
  GZIP: (input, size) => withEnd(() => compressors.GZIP!(input, size), size / 2 ** 20),
  BROTLI: (input, size) => withEnd(() => compressors.BROTLI!(input, size), size / 2 ** 20),
  ZSTD: (input, size) => {
    // Of size 0 it would take the size that the page claims; what is damaged, or larger, comes back as fewer bytes.
    const unpacked = size === 0 ? new Uint8Array(0) : libzstd.decode(input, size);
    if (unpacked.length !== size) throw new Error(`a page that does not unpack to its ${size} bytes`);
    return unpacked;
  },
};

/**
 * Zstandard in pieces, which libzstd as npm has it neither takes as they come nor ends where they are damaged; Node itself
 * unpacks it from 22.15 on only.
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
