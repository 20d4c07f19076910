import { type LibtensorflowBuild, NATIVE_TARGETS, type NativeTarget, nativeTarget } from '../native-targets.js';
import { failure } from './explain-failure.js';

/** What decides whether the published libraries can run. */
export interface Platform {
  readonly system: string;
  readonly architecture: string;
  /** Version of the GNU C library, such as "2.36"; undefined where there is none (Alpine). */
  readonly glibc: string | undefined;
  /** Version of the system's kernel, such as "23.6.0". */
  readonly release: string;
}

/** A system that can be provided with libtensorflow. */
export interface Host {
  readonly target: NativeTarget;
  /** Platforms as pip names them, the one to be preferred first. */
  readonly pipPlatforms: readonly string[];
  /** What a compiled binding depends on besides its sources: `glibc 2.36`. */
  readonly runtime: string;
}

/** Why there is no build of libtensorflow for a system. */
export interface PlatformFault {
  /** A clause. */
  readonly reason: string;
  readonly got: string;
  /** What computes there instead, without a full stop. */
  readonly remedy: string;
}

const OLDEST_GLIBC_MINOR = 27;
/** Darwin 21 is macOS 12. */
const OLDEST_DARWIN = 21;
const ELSEWHERE =
  'Use `METAAPO_BACKEND=webgpu`, which computes on the GPU, or `METAAPO_BACKEND=wasm`, which runs everywhere';

/** The platform of this process. */
export function currentPlatform(): Platform {
  const report = process.report?.getReport() as
    | { header?: { glibcVersionRuntime?: string; osRelease?: string } }
    | undefined;
  const { glibcVersionRuntime: glibc, osRelease: release = '' } = report?.header ?? {};
  return { system: process.platform, architecture: process.arch, glibc, release };
}

/** Why a build of libtensorflow cannot run on a system; undefined where it can. */
export function faultOfPlatform(platform: Platform, build: LibtensorflowBuild): PlatformFault | undefined {
  const { system, architecture, glibc, release } = platform;
  const target = nativeTarget(system, architecture);
  const got = `${system} ${architecture}`;
  if (target === undefined) {
    const titles = NATIVE_TARGETS.map(({ title }) => title).join(', ');
    const node = got === 'darwin x64' ? '; on Apple silicon, install a Node that is built for arm64' : '';
    const reason = `TensorFlow ${build === 'cuda' ? 'with CUDA ' : ''}is not published for this system`;
    return { reason, got, remedy: `${ELSEWHERE}. Native backends are for ${titles}${node}` };
  }
  if (target.wheels[build] === undefined) {
    const remedy = build === 'cuda' ? `${ELSEWHERE}, or leave --gpu out to compute on the CPU` : ELSEWHERE;
    return { reason: 'TensorFlow with CUDA is published for Linux x64 only', got, remedy };
  }
  if (system === 'linux' && !(glibcMinor(glibc) >= OLDEST_GLIBC_MINOR)) {
    const found = glibc === undefined ? 'a system without it (Alpine and other musl systems)' : `glibc ${glibc}`;
    const remedy = `${ELSEWHERE}, or a container that has it (node:22-slim)`;
    return { reason: `libtensorflow needs glibc 2.${OLDEST_GLIBC_MINOR} or later`, got: found, remedy };
  }
  if (system === 'darwin' && !(Number.parseInt(release, 10) >= OLDEST_DARWIN)) {
    return { reason: 'libtensorflow needs macOS 12 or later', got: `Darwin ${release}`, remedy: ELSEWHERE };
  }
  return undefined;
}

/**
 * What a build of libtensorflow needs to know of this system.
 * @throws MetaapoError with code `backend` where there is no such build, or the system is too old for it
 */
export function requirePlatform(platform: Platform, build: LibtensorflowBuild): Host {
  const fault = faultOfPlatform(platform, build);
  if (fault !== undefined) throw failure(fault.reason, 'backend install', fault.got, fault.remedy);
  const target = nativeTarget(platform.system, platform.architecture)!;
  if (target.id === 'darwin-arm64') return { target, pipPlatforms: ['macosx_12_0_arm64'], runtime: '' };
  if (target.id === 'win32-x64') return { target, pipPlatforms: ['win_amd64'], runtime: '' };
  const minor = glibcMinor(platform.glibc);
  const machine = target.id === 'linux-x64' ? 'x86_64' : 'aarch64';
  const newer = Array.from({ length: minor - 4 }, (_, index) => `manylinux_2_${minor - index}_${machine}`);
  return { target, pipPlatforms: [...newer, `manylinux2014_${machine}`], runtime: `glibc 2.${minor}` };
}

function glibcMinor(glibc: string | undefined): number {
  return Number(/^2\.(\d+)/.exec(glibc ?? '')?.[1]);
}
