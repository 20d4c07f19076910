import type { BackendInspection, SystemInspection } from '@metaapo/engine';
import type { Command } from 'commander';

/** `metaapo doctor`: what this machine can do, and what to do next. */
export function addDoctor(program: Command): void {
  program
    .command('doctor')
    .description('show Node, CPU, GPU, backends and their speed, and what to do next')
    .option('--json', 'print the findings as JSON')
    .option('--quick', 'measure no speeds')
    .action(async (options: { json?: boolean; quick?: boolean }) => {
      const { inspectSystem } = await import('@metaapo/engine');
      const found = await inspectSystem(options.quick ? { budgetMs: 0 } : {});
      process.stdout.write(options.json ? `${JSON.stringify(found, null, 2)}\n` : describe(found));
    });
}

const gibibytes = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(1)} GiB`;

function describe(found: SystemInspection): string {
  const { node, cpu, gpus, memory } = found;
  const features = Object.entries(cpu.features ?? {}).flatMap(([name, isPresent]) => (isPresent ? [name] : []));
  const limit = memory.limit === undefined ? '' : `, limited to ${gibibytes(memory.limit)}`;
  const lines = [
    `Node      ${node.version}${node.isSupported ? '' : ' (too old: 20.19 or newer is needed)'}, ${found.platform}`,
    `CPU       ${[cpu.model, `${cpu.cores} cores`, ...features].join(', ')}`,
    `GPU       ${gpus.length === 0 ? 'none found' : gpus.map((gpu) => gpu.name).join(', ')}`,
    `Memory    ${gibibytes(memory.free)} free of ${gibibytes(memory.total)}${limit}`,
    `TF.js     ${found.tfjs}`,
    'Backends',
    ...found.backends.map((backend) => `  ${describeBackend(backend, backend.id === found.chosen)}`),
    ...(found.nextSteps.length === 0 ? [] : ['Next', ...found.nextSteps.map((step) => `  ${step}`)]),
  ];
  return `${lines.join('\n')}\n`;
}

function describeBackend({ id, state, reason, measured }: BackendInspection, isChosen: boolean): string {
  const gflops = measured?.matmulGflops;
  const speed = [
    measured?.libtensorflow === undefined ? undefined : `libtensorflow ${measured.libtensorflow}`,
    gflops?.float32 === undefined ? undefined : `f32 ${gflops.float32.toFixed(gflops.float32 < 10 ? 1 : 0)} GFLOP/s`,
    gflops?.bfloat16 === undefined ? undefined : `bf16 ${gflops.bfloat16.toFixed(0)} GFLOP/s`,
  ].filter((part) => part !== undefined);
  const figures = speed.length === 0 ? '' : `; ${speed.join(', ')}`;
  return `${isChosen ? '*' : ' '} ${id.padEnd(15)} ${state}: ${reason}${figures}`;
}
