import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { NativeBackendId } from './backend.js';

/** The npm package behind each native backend. */
export const NATIVE_PACKAGE_NAMES: Readonly<Record<NativeBackendId, string>> = {
  tensorflow: '@tensorflow/tfjs-node',
  'tensorflow-gpu': '@tensorflow/tfjs-node-gpu',
};

/** Version of the native packages that this project is made for. */
export const NATIVE_PACKAGE_VERSION = '4.22.0';

/** An installed native package, provisioned or not. */
export interface NativePackage {
  readonly id: NativeBackendId;
  readonly name: string;
  readonly version: string;
  /** Real directory of the package. */
  readonly directory: string;
}

/** Where packages are looked up: the project in the working directory, then this package. */
export function defaultSearchPath(): string[] {
  return [process.cwd(), dirname(fileURLToPath(import.meta.url))];
}

/**
 * Finds an installed native package without loading it.
 * @param searchFrom directories from which Node's resolution starts, in this order
 */
export function findNativePackage(id: NativeBackendId, searchFrom: readonly string[]): NativePackage | undefined {
  const name = NATIVE_PACKAGE_NAMES[id];
  for (const start of searchFrom) {
    try {
      const manifest = createRequire(join(start, 'noop.js')).resolve(`${name}/package.json`);
      const { version } = JSON.parse(readFileSync(manifest, 'utf8')) as { version: string };
      return { id, name, version, directory: dirname(manifest) };
    } catch {
      // Not installed as seen from here: the next directory may see it.
    }
  }
  return undefined;
}

/** Where the package's loader (node-pre-gyp, N-API 8, so Node 20 and later alike) looks for its binding. */
export function bindingFile(packageDirectory: string): string {
  return join(packageDirectory, 'lib', 'napi-v8', 'tfjs_binding.node');
}

/** Where the binding looks for libtensorflow. */
export function librariesDirectory(packageDirectory: string): string {
  return join(packageDirectory, 'deps', 'lib');
}
