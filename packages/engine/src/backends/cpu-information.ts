import { readFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';

/** The processor, as far as it decides the speed of matrix products. */
export interface CpuInformation {
  readonly model: string;
  /** Cores that this process may use. */
  readonly cores: number;
  /** Instruction sets that matter; undefined where the system does not tell (only Linux does). */
  readonly features: Readonly<Record<CpuFeature, boolean>> | undefined;
}

/** `avx512bf16` and `amxBf16` make bfloat16 products fast. */
export type CpuFeature = 'avx' | 'avx2' | 'fma' | 'avx512f' | 'avx512bf16' | 'amxBf16';

const FLAGS: Readonly<Record<CpuFeature, string>> = {
  avx: 'avx',
  avx2: 'avx2',
  fma: 'fma',
  avx512f: 'avx512f',
  avx512bf16: 'avx512_bf16',
  amxBf16: 'amx_bf16',
};

/** Reads the processor's model, cores and instruction sets. */
export function readCpu(cpuinfo = readCpuinfo()): CpuInformation {
  return {
    model: cpus()[0]?.model.trim() || 'unknown',
    cores: availableParallelism(),
    features: cpuinfo === undefined ? undefined : featuresOf(cpuinfo),
  };
}

function featuresOf(cpuinfo: string): Record<CpuFeature, boolean> | undefined {
  const line = /^flags\s*:(.*)$/m.exec(cpuinfo)?.[1];
  if (line === undefined) return undefined;
  const flags = new Set(line.trim().split(/\s+/));
  const entries = Object.entries(FLAGS).map(([feature, flag]) => [feature, flags.has(flag)]);
  return Object.fromEntries(entries) as Record<CpuFeature, boolean>;
}

function readCpuinfo(): string | undefined {
  try {
    return readFileSync('/proc/cpuinfo', 'utf8');
  } catch {
    return undefined;
  }
}
