import { existsSync } from 'node:fs';

/** Files that the NVIDIA driver (or, under WSL, its bridge) puts in place. */
const DRIVER_FILES = ['/proc/driver/nvidia/version', '/dev/nvidiactl', '/usr/lib/wsl/lib/libcuda.so.1'];

/** True when the files of an NVIDIA driver are there. Says nothing about what the GPU can do. */
export function isGpuPresent(): boolean {
  return DRIVER_FILES.some((file) => existsSync(file));
}
