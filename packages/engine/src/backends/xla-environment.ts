import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { cacheHome } from '@metaapo/core/storage';

/**
 * What XLA is told of on a GPU: the same bits from run to run (no sums in the order in which threads come), products by cuBLAS,
 * which computes float32 ones in float32, where the compiler of the CUDA wheels lies, and a directory for what it has
 * compiled. What the environment says goes behind it and counts.
 * @param packageDirectory of `@tensorflow/tfjs-node-gpu`
 */
export function xlaEnvironment(
  packageDirectory: string,
  env: NodeJS.ProcessEnv,
): Readonly<Record<'XLA_FLAGS' | 'TF_XLA_FLAGS', string>> {
  const compiler = join(packageDirectory, 'deps', 'nvidia', 'cuda_nvcc');
  const flags = ['--xla_gpu_deterministic_ops=true', '--xla_gpu_enable_triton_gemm=false'];
  if (existsSync(compiler)) flags.push(flag('--xla_gpu_cuda_data_dir', compiler));
  const cache = join(cacheHome(env), 'xla');
  const keeping = canWriteTo(cache) ? [flag('--tf_xla_persistent_cache_directory', cache)] : [];
  const before = (own: readonly string[], given: string | undefined): string => [...own, given ?? ''].join(' ').trim();
  return { XLA_FLAGS: before(flags, env.XLA_FLAGS), TF_XLA_FLAGS: before(keeping, env.TF_XLA_FLAGS) };
}

const flag = (name: string, path: string): string => `${name}=${/\s/.test(path) ? `"${path}"` : path}`;

function canWriteTo(directory: string): boolean {
  try {
    mkdirSync(directory, { recursive: true });
    return true;
  } catch {
    return false;
  }
}
