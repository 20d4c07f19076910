import { createReadStream } from 'node:fs';
import { createGunzip } from 'node:zlib';
import { isMetaapoError, MetaapoError } from '@metaapo/core/contracts';
import { unpackedZstd } from './unpacking.js';

/**
 * The text of a file piece by piece, unpacked where its name ends in `.gz` or `.zst`, without a byte order mark.
 * @throws MetaapoError with code `data` when it cannot be read or unpacked, or is no UTF-8
 */
export async function* textOfFile(file: string): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  try {
    for await (const bytes of unpacked(file)) yield decoder.decode(bytes, { stream: true });
    yield decoder.decode();
  } catch (cause) {
    if (isMetaapoError(cause)) throw cause;
    throw unreadable(file, cause as NodeJS.ErrnoException);
  }
}

/** A path without the ending that says how the file is packed. */
export function withoutPacking(path: string): string {
  return path.replace(/\.(gz|zst)$/i, '');
}

function unpacked(file: string): AsyncIterable<Uint8Array> {
  const packed = createReadStream(file, { highWaterMark: 1 << 20 });
  if (/\.zst$/i.test(file)) return unpackedZstd(packed);
  if (!/\.gz$/i.test(file)) return packed;
  const gunzip = createGunzip();
  packed.on('error', (cause) => gunzip.destroy(cause));
  return packed.pipe(gunzip);
}

function unreadable(file: string, cause: NodeJS.ErrnoException): MetaapoError {
  const isText = cause.code !== 'ERR_ENCODING_INVALID_ENCODED_DATA';
  return new MetaapoError('data', isText ? 'the file cannot be read' : 'the file is not UTF-8', {
    where: file,
    got: cause.message,
    remedy: isText ? 'Check the path, its permissions, and whether the file is whole' : 'Convert it to UTF-8',
    cause,
  });
}
