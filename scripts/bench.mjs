// Runs bench/<name>.ts; further arguments are passed on. Lists the names when none is given.
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fail, root, run, setUp } from './setup.mjs';

const directory = join(root, 'bench');

function benchNames() {
  if (!existsSync(directory)) return [];
  return readdirSync(directory)
    .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'))
    .map((file) => file.slice(0, -'.ts'.length))
    .sort();
}

const [name, ...rest] = process.argv.slice(2).filter((argument, index) => index > 0 || argument !== '--');
const names = benchNames();
const list = names.length > 0 ? names.join(', ') : 'none yet';
if (name === undefined) {
  process.stdout.write(`Benchmarks: ${list}\nRun one: pnpm bench <name>\n`);
  process.exit(0);
}
if (!names.includes(name)) fail(`There is no benchmark '${name}'. Known: ${list}.`);
setUp();
const result = run(join(root, 'node_modules', '.bin', 'tsx'), [join(directory, `${name}.ts`), ...rest]);
process.exit(result.status ?? 1);
