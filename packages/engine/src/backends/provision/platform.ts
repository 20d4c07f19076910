import { failure } from './explain-failure.js';

/** What decides whether the published libraries can run. */
export interface Platform {
  readonly system: string;
  readonly architecture: string;
  /** Version of the GNU C library, such as "2.36"; undefined where there is none (Alpine). */
  readonly glibc: string | undefined;
}

const OLDEST_GLIBC_MINOR = 27;

/** The platform of this process. */
export function currentPlatform(): Platform {
  const header = (process.report?.getReport() as { header?: { glibcVersionRuntime?: string } } | undefined)?.header;
  return { system: process.platform, architecture: process.arch, glibc: header?.glibcVersionRuntime };
}

/**
 * Minor version of the GNU C library, which is 2.x.
 * @throws MetaapoError with code `backend` on any platform but Linux x64 with glibc 2.27 or later
 */
export function requirePlatform({ system, architecture, glibc }: Platform): number {
  const remedy =
    'Use `METAAPO_BACKEND=wasm`, which runs everywhere, or a Linux x64 machine or container (node:22-slim)';
  if (system !== 'linux' || architecture !== 'x64') {
    const summary = 'The native backend is provisioned on Linux x64 only';
    throw failure(summary, 'backend install', `${system} ${architecture}`, remedy);
  }
  const minor = Number(/^2\.(\d+)/.exec(glibc ?? '')?.[1]);
  if (minor >= OLDEST_GLIBC_MINOR) return minor;
  const found = glibc === undefined ? 'a system without it (Alpine and other musl systems)' : `glibc ${glibc}`;
  throw failure(`libtensorflow needs glibc 2.${OLDEST_GLIBC_MINOR} or later`, 'backend install', found, remedy);
}
