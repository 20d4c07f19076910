import { MetaapoError } from '@metaapo/core/contracts';

/** What a pool needs of a buffer of the GPU. */
export interface PooledBuffer {
  readonly size: number;
  readonly usage: number;
  destroy(): void;
}

/** What a pool needs of the device that makes buffers. */
export interface BufferDevice<Buffer extends PooledBuffer> {
  readonly limits: { readonly maxBufferSize: number; readonly maxStorageBufferBindingSize: number };
  createBuffer(descriptor: { size: number; usage: number; mappedAtCreation: boolean }): Buffer;
}

/** The buffers of TensorFlow.js' WebGPU backend, in the form that it asks of its `bufferManager`. */
export interface BufferPool<Buffer extends PooledBuffer> {
  /** Bytes of buffers in use. */
  readonly numBytesUsed: number;
  /** Bytes of all buffers: those in use and those that wait to be used again. */
  readonly numBytesAllocated: number;
  /**
   * A buffer of this size.
   * @param reuse whether one may be taken that was released
   * @throws MetaapoError with code `backend` for more bytes than the adapter allows
   */
  acquireBuffer(size: number, usage: number, mappedAtCreation?: boolean, reuse?: boolean): Buffer;
  /** Takes a buffer back: to be used again, or destroyed. */
  releaseBuffer(buffer: Buffer, reuse?: boolean): void;
  /** Destroys all buffers. */
  dispose(): void;
}

/** GPUBufferUsage.STORAGE: buffers that a kernel binds, which the second limit is about. */
const STORAGE = 0x80;
/** Bytes that may always wait to be used again. */
const FREE_AT_LEAST = 128 * 2 ** 20;

/**
 * An empty pool of buffers. Those that wait take at most half of what is in use, or 128 MiB: TensorFlow.js' own manager
 * keeps every buffer that there ever was, and sizes change from batch to batch.
 */
export function createBufferPool<Buffer extends PooledBuffer>(device: BufferDevice<Buffer>): BufferPool<Buffer> {
  const used = new Set<Buffer>();
  /** Oldest first, over all sizes. */
  const free = new Set<Buffer>();
  const freeOfKind = new Map<string, Buffer[]>();
  let [usedBytes, freeBytes] = [0, 0];
  const take = (kind: string): Buffer | undefined => {
    const buffer = freeOfKind.get(kind)?.pop();
    if (buffer === undefined) return undefined;
    free.delete(buffer);
    freeBytes -= buffer.size;
    return buffer;
  };
  const evict = (): void => {
    for (const buffer of free) {
      if (freeBytes <= Math.max(FREE_AT_LEAST, usedBytes / 2)) return;
      const kind = freeOfKind.get(kindOf(buffer))!;
      kind.splice(kind.indexOf(buffer), 1);
      if (kind.length === 0) freeOfKind.delete(kindOf(buffer));
      free.delete(buffer);
      freeBytes -= buffer.size;
      buffer.destroy();
    }
  };
  return {
    get numBytesUsed() {
      return usedBytes;
    },
    get numBytesAllocated() {
      return usedBytes + freeBytes;
    },
    acquireBuffer(size, usage, mappedAtCreation = false, reuse = true) {
      refuseLarge(device.limits, size, usage);
      const kept = reuse ? take(kindOf({ size, usage })) : undefined;
      const buffer = kept ?? device.createBuffer({ size, usage, mappedAtCreation });
      used.add(buffer);
      usedBytes += size;
      return buffer;
    },
    releaseBuffer(buffer, reuse = true) {
      if (!used.delete(buffer)) return;
      usedBytes -= buffer.size;
      if (!reuse) return buffer.destroy();
      const kind = kindOf(buffer);
      freeOfKind.set(kind, [...(freeOfKind.get(kind) ?? []), buffer]);
      free.add(buffer);
      freeBytes += buffer.size;
      evict();
    },
    dispose() {
      for (const buffer of [...used, ...free]) buffer.destroy();
      used.clear();
      free.clear();
      freeOfKind.clear();
      [usedBytes, freeBytes] = [0, 0];
    },
  };
}

function kindOf({ size, usage }: { readonly size: number; readonly usage: number }): string {
  return `${size}/${usage}`;
}

function refuseLarge(limits: BufferDevice<PooledBuffer>['limits'], size: number, usage: number): void {
  const isBound = (usage & STORAGE) !== 0;
  const limit = isBound ? Math.min(limits.maxBufferSize, limits.maxStorageBufferBindingSize) : limits.maxBufferSize;
  if (size <= limit) return;
  throw new MetaapoError('backend', 'A tensor is larger than the GPU allows', {
    where: 'backend webgpu',
    expected: `at most ${limit} bytes, the limit of this adapter for ${isBound ? 'what a kernel reads or writes' : 'a buffer'}`,
    got: `${size} bytes`,
    remedy: 'Take a smaller model or smaller batches, or another backend',
  });
}
