import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { missingBackend } from '../../test/missing-backend.js';
import { computedBy } from '../executors/computed-by.js';
import { createBufferPool } from './buffer-pool.js';
import { measureInChild } from './measure-in-child.js';
import { defaultSearchPath } from './native-package.js';
import { probeWebgpu } from './probe-webgpu.js';
import { selectBackend } from './select-backend.js';

/** A device that makes buffers out of nothing and counts those that live. */
function fakeDevice() {
  const live = new Set<object>();
  return {
    live,
    limits: { maxBufferSize: 4 * 2 ** 30, maxStorageBufferBindingSize: 2 ** 30 },
    createBuffer({ size, usage }: { size: number; usage: number }) {
      const buffer = { size, usage, destroy: () => void live.delete(buffer) };
      live.add(buffer);
      return buffer;
    },
  };
}

describe('the pool of buffers', () => {
  const storage = 0x80;

  it('gives a released buffer of the same size and usage again', () => {
    const pool = createBufferPool(fakeDevice());
    const first = pool.acquireBuffer(1024, storage);
    pool.releaseBuffer(first);
    expect(pool.acquireBuffer(1024, 1)).not.toBe(first);
    expect(pool.acquireBuffer(1024, storage, false, false)).not.toBe(first);
    expect(pool.acquireBuffer(1024, storage)).toBe(first);
    expect([pool.numBytesUsed, pool.numBytesAllocated]).toEqual([3072, 3072]);
  });

  it('destroys the oldest of those that wait, beyond 128 MiB', () => {
    const device = fakeDevice();
    const pool = createBufferPool(device);
    const buffers = Array.from({ length: 10 }, (_, index) => pool.acquireBuffer(2 ** 25 + 4 * index, storage));
    for (const buffer of buffers) pool.releaseBuffer(buffer);
    expect(pool.numBytesAllocated).toBeLessThanOrEqual(128 * 2 ** 20);
    expect([...device.live]).toEqual(buffers.slice(-device.live.size));
    expect(device.live.size).toBe(3);
    pool.dispose();
    expect(device.live.size).toBe(0);
  });

  it('refuses what the adapter does not allow, with both numbers', () => {
    const pool = createBufferPool(fakeDevice());
    expect(() => pool.acquireBuffer(2 ** 30 + 4, storage)).toThrow(/at most 1073741824 bytes.*got 1073741828 bytes/);
    expect(pool.acquireBuffer(2 ** 30 + 4, 1).size).toBe(2 ** 30 + 4);
  });
});

it('says what to install where the packages are missing', async () => {
  await expect(selectBackend({ prefer: 'webgpu', searchFrom: ['/'] })).rejects.toMatchObject({
    code: 'backend',
    message: expect.stringMatching(
      /@tensorflow\/tfjs-backend-webgpu and webgpu are not installed.*npm i @tensorflow\/tfjs-backend-webgpu@4\.22\.0 webgpu@0\.6\.2/,
    ),
  });
});

const { directories } = probeWebgpu(defaultSearchPath());
const environment = (driver: string): NodeJS.ProcessEnv => ({ ...process.env, VK_DRIVER_FILES: driver });

it.skipIf(process.platform !== 'linux')('is passed over, and says why, where there is no adapter', async () => {
  const measured = measureInChild({ webgpu: directories! }, { budgetMs: 0, env: environment('/dev/null') });
  await expect(measured).rejects.toThrow(/webgpu: .*no adapter that Dawn can use/);
});

const reason = await missingBackend('webgpu');
if (reason !== undefined) console.log(`skipped: WebGPU is not tested here: ${reason}`);

describe.skipIf(reason !== undefined)('with an adapter', { timeout: 60_000 }, () => {
  beforeAll(() => selectBackend({ prefer: 'webgpu' }));

  it('computes on it, and names it', async () => {
    const { id, reason, hasSessions } = await selectBackend({ prefer: 'webgpu' });
    expect([id, hasSessions, tf.getBackend()]).toEqual(['webgpu', false, 'webgpu']);
    expect(reason).toMatch(/^webgpu \(asked for; .+, through webgpu 0\.6\.2\)$/);
    const product = tf.tidy(() => tf.matMul(tf.ones([40, 30]), tf.ones([30, 50])));
    expect(new Set(await product.data())).toEqual(new Set([30]));
    product.dispose();
  });

  it('refuses a synchronous read of what was computed', async () => {
    const product = tf.tidy(() => tf.matMul(tf.ones([40, 30]), tf.ones([30, 50])));
    expect(() => product.dataSync()).toThrow(/cannot be read synchronously.*await tensor\.data\(\)/);
    await product.data();
    expect(() => product.dataSync()).toThrow(/cannot be read synchronously/);
    product.dispose();
  });

  it('frees what is disposed', async () => {
    const before = tf.memory();
    for (let turn = 0; turn < 5; turn++)
      await tf.tidy(() => tf.matMul(tf.ones([40, 30 + turn]), tf.ones([30 + turn, 50]))).data();
    expect(tf.memory().numTensors).toBe(before.numTensors + 5);
  });

  it('is measured in a fresh process', async () => {
    const { adapter } = await measureInChild({ webgpu: directories! }, { budgetMs: 0 });
    expect(adapter!.vendor).not.toBe('');
    // Another maker's adapter gives other last bits; what a driver's version is called does not count.
    const key = computedBy('eager', 'bfloat16');
    expect(key).toMatch(/^webgpu bfloat16 shaders \d+ ./);
    expect(key.endsWith(` ${adapter!.vendor} ${adapter!.architecture}`)).toBe(true);
  });
});
