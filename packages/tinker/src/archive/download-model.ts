import { createGunzip } from 'node:zlib';
import { MetaapoError } from '@metaapo/core/contracts';
import type { Service } from '../service/service.js';
import { repairAdapter } from './repair-adapter.js';
import { unpackTar } from './unpack-tar.js';

/** A model of many gigabytes on a slow line. */
const DOWNLOAD_MS = 6 * 3_600_000;

/**
 * Fetches a checkpoint's archive (tar, or gzip of it) into a directory that is there, and repairs what the service leaves
 * out of an adapter's settings.
 * @throws MetaapoError with code `network` for an archive that cannot be read; ServiceFailure where the service gives none
 */
export async function downloadModel(service: Service, path: string, directory: string): Promise<void> {
  const request = { method: 'GET', path, timeoutMs: DOWNLOAD_MS } as const;
  const bytes = await service.patiently(() => service.http.open(request));
  try {
    await unpackTar(await decompressed(bytes), directory);
    await repairAdapter(directory);
  } catch (cause) {
    if (cause instanceof MetaapoError) throw cause;
    const got = cause instanceof Error ? cause.message : String(cause);
    throw service.http.fault(path, 'the archive of the model cannot be read', got, "Look into the service's log");
  }
}

/** The stream, decompressed where it begins like gzip. */
async function decompressed(stream: AsyncIterable<Buffer>): Promise<AsyncIterable<Buffer>> {
  const source = stream[Symbol.asyncIterator]();
  const first = await source.next();
  async function* all(): AsyncGenerator<Buffer> {
    for (let piece = first; piece.done !== true; piece = await source.next()) yield piece.value;
  }
  const isGzip = first.done !== true && first.value[0] === 0x1f && first.value[1] === 0x8b;
  return isGzip ? gunzipped(all()) : all();
}

async function* gunzipped(stream: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const gunzip = createGunzip();
  const fed = (async () => {
    for await (const piece of stream) {
      if (!gunzip.write(piece)) await new Promise((resolve) => gunzip.once('drain', resolve));
    }
    gunzip.end();
  })();
  fed.catch((error: Error) => gunzip.destroy(error));
  for await (const piece of gunzip as AsyncIterable<Buffer>) yield piece;
  await fed;
}
