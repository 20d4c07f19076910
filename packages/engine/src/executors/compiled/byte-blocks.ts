const BLOCK_BYTES = 2 ** 20;

/** Bytes that grow at the end, held in a few large blocks. */
export interface ByteBlocks {
  /** Copies the bytes to the end. */
  append(bytes: Uint8Array): void;
  /** All filled blocks, in order. */
  blocks(): readonly Uint8Array[];
}

/** No bytes yet. */
export function createByteBlocks(): ByteBlocks {
  const full: Uint8Array[] = [];
  let block = new Uint8Array(BLOCK_BYTES);
  let used = 0;
  const next = (size: number): void => {
    full.push(block.subarray(0, used));
    block = new Uint8Array(Math.max(BLOCK_BYTES, size));
    used = 0;
  };
  return {
    append(bytes) {
      if (used + bytes.length > block.length) next(bytes.length);
      block.set(bytes, used);
      used += bytes.length;
    },
    blocks: () => [...full, block.subarray(0, used)],
  };
}
