import type { Command } from 'commander';
import type { ReportFlags } from '../report/write-report.js';
import { addExamples } from './examples.js';

/** `metaapo report`: a page about one run, or several side by side. */
export function addReport(program: Command): void {
  const command = program
    .command('report')
    .description('write a page with curves, tables and samples of a run, or of several side by side')
    .argument('<run...>', 'run directories')
    .option('--output <file>', 'HTML file (default: report.html in the run, or here for several)')
    .option('--overwrite', 'replace the file where there is one')
    .action(async (runs: string[], flags: ReportFlags) => {
      const { writeReport } = await import('../report/write-report.js');
      process.stdout.write(`${await writeReport(runs, flags)}\n`);
    });
  addExamples(command, 'report runs/demo', 'report runs/first runs/second --output compared.html');
}
