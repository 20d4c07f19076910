import { Command } from 'commander';
import { addBackend } from './commands/backend.js';
import { addDoctor } from './commands/doctor.js';
import { addExport } from './commands/export.js';
import { addGenerate } from './commands/generate.js';
import { addInit } from './commands/init.js';
import { addPlugins } from './commands/plugins.js';
import { addProfile } from './commands/profile.js';
import { addReport } from './commands/report.js';
import { addReward } from './commands/reward.js';
import { addRun } from './commands/run.js';
import { addScore } from './commands/score.js';
import { addSelect } from './commands/select.js';
import { addTrainings } from './commands/train.js';
import { VERSION } from './version.js';

/**
 * The `metaapo` command with all of its subcommands. Wrong usage ends with exit code 2.
 * @param ended called before help or wrong usage ends the process
 */
export function createProgram(ended: () => void = () => undefined): Command {
  const program = new Command('metaapo')
    .description('Align language models with preference data')
    .version(VERSION)
    .configureHelp({ showGlobalOptions: true });
  addRun(program);
  addTrainings(program);
  addScore(program);
  addSelect(program);
  addGenerate(program);
  addReward(program);
  addExport(program);
  addReport(program);
  addInit(program);
  addPlugins(program);
  addProfile(program);
  addDoctor(program);
  addBackend(program);
  for (const command of [program, ...program.commands, ...program.commands.flatMap((inner) => inner.commands)]) {
    command.exitOverride(({ exitCode }) => {
      ended();
      process.exit(exitCode === 0 ? 0 : 2);
    });
  }
  return program;
}
