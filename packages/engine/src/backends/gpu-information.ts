import { runCommand } from './provision/run-command.js';

/** An NVIDIA GPU, as nvidia-smi describes it. */
export interface GpuInformation {
  readonly name: string;
  readonly driver: string;
  readonly memoryMiB: number;
  /** Such as "9.0". */
  readonly computeCapability: string;
}

const QUERY = ['--query-gpu=name,driver_version,memory.total,compute_cap', '--format=csv,noheader,nounits'];

/** The GPUs that nvidia-smi lists; none where it is missing or fails. */
export async function listGpus(env: NodeJS.ProcessEnv): Promise<GpuInformation[]> {
  const { end, stdout } = await runCommand('nvidia-smi', QUERY, { env });
  if (end !== 0) return [];
  return stdout
    .split('\n')
    .filter((line) => line.split(',').length === 4)
    .map((line) => {
      const [name, driver, memory, computeCapability] = line.split(',').map((part) => part.trim());
      return { name: name!, driver: driver!, memoryMiB: Number(memory), computeCapability: computeCapability! };
    });
}
