import { closeSync, existsSync, openSync, readFileSync, readSync } from 'node:fs';
import { join } from 'node:path';
import type { NativeBackendId } from './backend.js';
import {
  bindingFile,
  findNativePackage,
  librariesDirectory,
  NATIVE_PACKAGE_NAMES,
  NATIVE_PACKAGE_VERSION,
  type NativePackage,
} from './native-package.js';
import { nativeTarget } from './native-targets.js';
import { currentPlatform, faultOfPlatform } from './provision/platform.js';

/** What the files say about a native backend, before anything of it is loaded. */
export interface NativeProbe {
  readonly id: NativeBackendId;
  /** `absent`: no package; `unprovisioned`: no libraries or binding; `unsupported`: this CPU or system cannot run it. */
  readonly state: 'ready' | 'absent' | 'unprovisioned' | 'unsupported';
  /** A clause such as "@tensorflow/tfjs-node is not installed". */
  readonly reason: string;
  /** What to do about it, a sentence; empty when ready. */
  readonly remedy: string;
  readonly package?: NativePackage;
}

/** Reads from files alone whether a native backend can be loaded. Never loads it. */
export function probeNative(id: NativeBackendId, searchFrom: readonly string[]): NativeProbe {
  const name = NATIVE_PACKAGE_NAMES[id];
  const found = findNativePackage(id, searchFrom);
  if (found === undefined) {
    const remedy = `Run \`npm i ${name}@${NATIVE_PACKAGE_VERSION} --ignore-scripts\`, then \`${installCommand(id)}\`.`;
    return unsupportedHere(id) ?? { id, state: 'absent', reason: `${name} is not installed`, remedy };
  }
  const fault = faultOfFiles(found.directory);
  if (fault !== undefined) {
    const reason = `${name} is installed but ${fault}`;
    const remedy = `Run \`${installCommand(id)}\`.`;
    return unsupportedHere(id) ?? { id, state: 'unprovisioned', reason, remedy, package: found };
  }
  if (!canRunAvx()) {
    const remedy = 'Use a machine whose CPU has AVX, or the wasm backend.';
    return { id, state: 'unsupported', reason: 'libtensorflow needs a CPU with AVX', remedy, package: found };
  }
  return { id, state: 'ready', reason: `${name} ${found.version}`, remedy: '', package: found };
}

/** The command that provides a native backend on this system. */
export function installCommand(id: NativeBackendId): string {
  const binding = nativeTarget()?.compiler === undefined ? ' --binding FILE' : '';
  return `metaapo backend install${id === 'tensorflow-gpu' ? ' --gpu' : ''}${binding}`;
}

/** A backend that cannot be provided on this system. */
function unsupportedHere(id: NativeBackendId): NativeProbe | undefined {
  const fault = faultOfPlatform(currentPlatform(), id === 'tensorflow-gpu' ? 'cuda' : 'cpu');
  return (
    fault && {
      id,
      state: 'unsupported',
      reason: `${fault.reason} (${fault.got})`,
      remedy: 'Use the webgpu backend, or wasm.',
    }
  );
}

/** What is wrong with the libraries and the binding, as the end of a sentence; undefined when nothing is. */
export function faultOfFiles(packageDirectory: string): string | undefined {
  const binding = bindingFile(packageDirectory);
  if (!existsSync(binding)) return 'has no binding (lib/napi-v8/tfjs_binding.node)';
  const target = nativeTarget();
  if (target === undefined) return undefined;
  if (!isLibraryFile(binding)) return 'its binding (lib/napi-v8/tfjs_binding.node) is not a library';
  const libraries = librariesDirectory(packageDirectory);
  for (const { name, links, olderNames } of target.libraries) {
    const isThere = [name, ...links, ...olderNames].some((one) => isLibraryFile(join(libraries, one)));
    if (!isThere) return `has no ${name} in ${target.libraryFolder}`;
  }
  return undefined;
}

/** True for a readable file (links followed) that begins as a library of this system does. */
export function isLibraryFile(file: string): boolean {
  const { magic = '' } = nativeTarget() ?? {};
  const start = Buffer.alloc(magic.length);
  try {
    const handle = openSync(file, 'r');
    try {
      readSync(handle, start, 0, magic.length, 0);
      return start.toString('latin1') === magic;
    } finally {
      closeSync(handle);
    }
  } catch {
    return false;
  }
}

/** libtensorflow ends the process on an x86 CPU without AVX, so this is asked before it is loaded. */
function canRunAvx(): boolean {
  if (process.platform !== 'linux' || process.arch !== 'x64') return true;
  try {
    return /^flags\s*:.*\bavx\b/m.test(readFileSync('/proc/cpuinfo', 'utf8'));
  } catch {
    return true;
  }
}
