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

/** What the files say about a native backend, before anything of it is loaded. */
export interface NativeProbe {
  readonly id: NativeBackendId;
  /** `absent`: no package; `unprovisioned`: no libraries or binding; `unsupported`: this CPU cannot run it. */
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
  const install = `metaapo backend install${id === 'tensorflow-gpu' ? ' --gpu' : ''}`;
  if (found === undefined) {
    return {
      id,
      state: 'absent',
      reason: `${name} is not installed`,
      remedy: `Run \`npm i ${name}@${NATIVE_PACKAGE_VERSION} --ignore-scripts\`, then \`${install}\`.`,
    };
  }
  const fault = faultOfFiles(found.directory);
  if (fault !== undefined) {
    return {
      id,
      state: 'unprovisioned',
      reason: `${name} is installed but ${fault}`,
      remedy: `Run \`${install}\`.`,
      package: found,
    };
  }
  if (!canRunAvx()) {
    const remedy = 'Use a machine whose CPU has AVX, or the wasm backend.';
    return { id, state: 'unsupported', reason: 'libtensorflow needs a CPU with AVX', remedy, package: found };
  }
  return { id, state: 'ready', reason: `${name} ${found.version}`, remedy: '', package: found };
}

/** What is wrong with the libraries and the binding, as the end of a sentence; undefined when nothing is. */
export function faultOfFiles(packageDirectory: string): string | undefined {
  const binding = bindingFile(packageDirectory);
  if (!existsSync(binding)) return 'has no binding (lib/napi-v8/tfjs_binding.node)';
  if (process.platform !== 'linux') return undefined;
  if (!isElfFile(binding)) return 'its binding (lib/napi-v8/tfjs_binding.node) is not a library';
  const libraries = librariesDirectory(packageDirectory);
  for (const names of [['libtensorflow_cc.so.2', 'libtensorflow.so.2'], ['libtensorflow_framework.so.2']]) {
    if (!names.some((name) => isElfFile(join(libraries, name)))) return `has no ${names[0]} in deps/lib`;
  }
  return undefined;
}

/** True for a readable file (links followed) that begins as a Linux library does. */
export function isElfFile(file: string): boolean {
  const start = Buffer.alloc(4);
  try {
    const handle = openSync(file, 'r');
    try {
      return readSync(handle, start, 0, 4, 0) === 4 && start.toString('latin1') === '\x7fELF';
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
