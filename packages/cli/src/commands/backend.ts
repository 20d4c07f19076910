import type { Command } from 'commander';
import { onInterruption } from '../terminal/interruption.js';

interface InstallFlags {
  gpu?: boolean;
  wheel?: string;
  fromPython?: string;
  binding?: string;
  allowUnknownWheel?: boolean;
  force?: boolean;
}

/** `metaapo backend install`: provisions a native backend. */
export function addBackend(program: Command): void {
  const backend = program.command('backend').description('native backends');
  backend
    .command('install')
    .description('provide @tensorflow/tfjs-node with libtensorflow 2.21 and its binding, and check that it works')
    .option('--gpu', 'the CUDA build, for @tensorflow/tfjs-node-gpu')
    .option(
      '--wheel <file>',
      'take libtensorflow from this wheel of tensorflow (on Linux x64 also tensorflow-cpu, except with --gpu)',
    )
    .option('--from-python <path>', 'take libtensorflow from a Python environment that has TensorFlow')
    .option('--binding <file>', 'copy this prebuilt tfjs_binding.node instead of compiling one; needed on Windows')
    .option('--allow-unknown-wheel', 'take wheels whose checksums are not among those that this version knows')
    .option('--force', 'install again even when it works already')
    .action(async (flags: InstallFlags) => {
      const { installBackend } = await import('@metaapo/engine');
      const report = (line: string): void => void process.stderr.write(`${line}\n`);
      const notice = 'Stopping; what was there before stays. Ctrl-C again ends at once.';
      const { signal, begin, release } = onInterruption(notice);
      begin();
      try {
        const result = await installBackend({ ...flags, report, signal });
        process.stdout.write(`${result.summary}\n`);
      } finally {
        release();
      }
    });
}
