import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { NativeBackendId } from './backend.js';
import { nativeTarget } from './native-targets.js';
import { textField } from './text-field.js';

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

/** Finds an installed native package without loading it, see {@link findPackage}. */
export function findNativePackage(id: NativeBackendId, searchFrom: readonly string[]): NativePackage | undefined {
  const found = findPackage(NATIVE_PACKAGE_NAMES[id], searchFrom);
  return found && { id, ...found };
}

/**
 * Finds an installed package without loading it: in the node_modules of each directory and of those above it.
 * NODE_PATH is not looked at, since package managers' command shims set it to packages that nobody asked for.
 * @param searchFrom directories, in order of preference
 */
export function findPackage(name: string, searchFrom: readonly string[]): Omit<NativePackage, 'id'> | undefined {
  for (const start of searchFrom) {
    for (const above of withParents(start)) {
      const manifest = join(above, 'node_modules', name, 'package.json');
      if (!existsSync(manifest)) continue;
      const version = textField(readFileSync(manifest, 'utf8'), 'version') ?? 'unknown';
      return { name, version, directory: dirname(realpathSync(manifest)) };
    }
  }
  return undefined;
}

function withParents(directory: string): string[] {
  const parent = dirname(directory);
  return parent === directory ? [directory] : [directory, ...withParents(parent)];
}

/** Where the package's loader (node-pre-gyp, N-API 8, so Node 20 and later alike) looks for its binding. */
export function bindingFile(packageDirectory: string): string {
  return join(packageDirectory, 'lib', 'napi-v8', 'tfjs_binding.node');
}

/** Where the module of the fused kernels lies, where there is one. */
export function kernelsFile(packageDirectory: string): string {
  return join(dirname(bindingFile(packageDirectory)), 'metaapo_kernels.node');
}

/** Where the binding looks for libtensorflow. */
export function librariesDirectory(packageDirectory: string): string {
  return join(packageDirectory, nativeTarget()?.libraryFolder ?? 'deps/lib');
}
