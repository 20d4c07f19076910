// Makes the golden values anew: runs every fixture script with Python (`PYTHON`, else python3).
// Arguments choose scripts whose path holds one of them. Exit code 1 when a script fails, 2 when none is found.
import { existsSync, readdirSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fail, root, run } from './setup.mjs';

const python = process.env.PYTHON ?? 'python3';
const LIBRARIES = ['torch', 'transformers', 'peft', 'trl', 'safetensors', 'tokenizers', 'numpy', 'pyarrow'];

function filesBelow(directory) {
  if (!existsSync(directory)) return [];
  return readdirSync(directory, { recursive: true, encoding: 'utf8' }).map((name) => join(directory, name));
}

/** The scripts named `make.py` or `make_<what>.py` under fixtures and under each package's test/fixtures, sorted. */
function fixtureScripts() {
  const shared = filesBelow(join(root, 'fixtures'));
  const own = readdirSync(join(root, 'packages')).flatMap((name) =>
    filesBelow(join(root, 'packages', name, 'test', 'fixtures')),
  );
  const isMaker = (path) => /[\\/]make(_[^\\/]*)?\.py$/.test(path);
  return [...shared, ...own].filter(isMaker).sort();
}

function printVersions() {
  const code = `
import sys, importlib.metadata as m
print('Python', sys.version.split()[0])
for name in ${JSON.stringify(LIBRARIES)}:
    try: print(name, m.version(name))
    except m.PackageNotFoundError: print(name, 'absent')
`;
  const printed = run(python, ['-c', code]);
  if (printed.status !== 0)
    fail(`'${python}' could not be run. Set PYTHON to a Python 3 that has torch and transformers.`);
}

const wanted = process.argv.slice(2);
const scripts = fixtureScripts().filter(
  (path) => wanted.length === 0 || wanted.some((part) => relative(root, path).includes(part)),
);
if (scripts.length === 0)
  fail(`No fixture script${wanted.length > 0 ? ` matches ${wanted.join(', ')}` : ' was found'}.`);
printVersions();
let failed = 0;
for (const script of scripts) {
  process.stdout.write(`== ${relative(root, script)}\n`);
  if (run(python, [script], { cwd: dirname(script) }).status !== 0) failed += 1;
}
process.stdout.write(`${scripts.length} run, ${failed} failed\n`);
process.exit(failed === 0 ? 0 : 1);
