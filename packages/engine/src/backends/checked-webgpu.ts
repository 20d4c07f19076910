import { MetaapoError } from '@metaapo/core/contracts';
import type { DataId, KernelBackend } from '@tensorflow/tfjs';
import { type BufferDevice, createBufferPool, type PooledBuffer } from './buffer-pool.js';

/** The part of a WebGPU device that is used here. */
export interface GpuDevice extends BufferDevice<PooledBuffer> {
  createShaderModule(descriptor: { readonly code: string }): object;
  destroy(): void;
  readonly lost: Promise<{ readonly message: string }>;
  addEventListener(
    type: 'uncapturederror',
    listener: (event: { readonly error: { readonly message: string }; preventDefault(): void }) => void,
  ): void;
}

/** The part of TensorFlow.js' WebGPU backend that is used here. */
export interface WebgpuBackend extends KernelBackend {
  bufferManager: object;
  readonly tensorMap: {
    get(id: DataId): { values: unknown; readonly resource?: object | null; readonly dtype: string };
  };
}

/**
 * TensorFlow.js' WebGPU backend on a device, changed in four ways: buffers come from a pool that has bounds, what the GPU
 * refused is an error of the next read, a synchronous read of numbers on the GPU is an error that says so (a browser can do
 * it in a slow way, Node cannot), and shaders may call subgroup operations.
 */
export function checkedBackend(
  Backend: new (device: GpuDevice, info: object) => WebgpuBackend,
  device: GpuDevice,
  info: object,
): WebgpuBackend {
  const backend = new Backend(device, info);
  enableSubgroups(device);
  let fault: string | undefined;
  device.addEventListener('uncapturederror', (event) => {
    event.preventDefault();
    fault ??= event.error.message;
  });
  void device.lost.then(({ message }) => {
    fault ??= `the device was lost: ${message}`;
  });
  const [read, readSync] = [backend.read.bind(backend), backend.readSync.bind(backend)];
  return Object.assign(backend, {
    bufferManager: createBufferPool(device),
    async read(id: DataId) {
      const values = await read(id);
      // A copy beside the GPU's numbers would grow old when they are changed in place.
      const data = backend.tensorMap.get(id);
      if (data?.resource) data.values = null;
      if (fault === undefined) return values;
      const message = fault;
      fault = undefined;
      throw refusedByGpu(message);
    },
    readSync(id: DataId) {
      const { values, resource } = backend.tensorMap.get(id);
      if (!values && resource) throw synchronousRead();
      return readSync(id);
    },
  });
}

/** What a shader enables has to stand before what TensorFlow.js writes around it. */
function enableSubgroups(device: GpuDevice): void {
  const create = device.createShaderModule.bind(device);
  device.createShaderModule = (descriptor) => {
    const { code } = descriptor;
    return create(code.includes('subgroup') ? { ...descriptor, code: `enable subgroups;\n${code}` } : descriptor);
  };
}

function refusedByGpu(message: string): MetaapoError {
  return new MetaapoError('backend', 'The GPU did not carry out what it was given', {
    where: 'backend webgpu',
    got: message.split('\n')[0]!.trim(),
    remedy: 'Where its memory is full, take a smaller model or smaller batches; else update the driver',
  });
}

function synchronousRead(): MetaapoError {
  return new MetaapoError('backend', 'Numbers on the GPU cannot be read synchronously', {
    where: 'backend webgpu',
    expected: '`await tensor.data()`',
    got: '`dataSync()`, `arraySync()` or the like',
  });
}
