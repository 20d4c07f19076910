// Tries parsers with inputs that are nearly right: `pnpm fuzz [target] [--minutes N] [--seed S]`. Each one may refuse with
// an error in words and in no other way, within 2 seconds and 1 GiB. Minutes are for each target; default 0.5. A failure
// prints the smallest input, and the seed that finds it again. Exit code 1 when there is one.
import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';
import { root, setUp } from './setup.mjs';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    minutes: { type: 'string', default: '0.5' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
  },
});
setUp();
console.log(`seed ${values.seed}`);
const env = {
  ...process.env,
  METAAPO_FUZZ_MINUTES: values.minutes,
  METAAPO_FUZZ_SEED: values.seed,
  ...(positionals[0] !== undefined && { METAAPO_FUZZ_TARGET: positionals[0] }),
};
const args = ['vitest', 'run', '--project', 'unit', 'test/fuzz'];
process.exitCode = spawnSync('npx', args, { cwd: root, env, stdio: 'inherit' }).status ?? 1;
