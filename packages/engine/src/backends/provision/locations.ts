import { join } from 'node:path';
import type { LibtensorflowBuild, NativeTarget } from '../native-targets.js';

/** The version of libtensorflow that is downloaded; any other patch of 2.21 is taken when it is given. */
export const LIBTENSORFLOW_VERSION = '2.21.0';

/** Directory of a build of libtensorflow in the cache: `lib`, `include`, `licenses`, and `nvidia` for CUDA. */
export function libtensorflowDirectory(home: string, build: LibtensorflowBuild, { id }: NativeTarget): string {
  return join(home, 'libtensorflow', `${LIBTENSORFLOW_VERSION.replace(/\.\d+$/, '')}-${build}-${id}`);
}
