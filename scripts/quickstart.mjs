// From a fresh clone to a trained model: installs, builds, and runs the quickstart example.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fail, root, run, setUp } from './setup.mjs';

const example = join(root, 'examples', 'quickstart', 'quickstart.ts');
if (!existsSync(example)) fail(`The quickstart example is missing: expected ${example}. Check the clone out again.`);
setUp();
const result = run(join(root, 'node_modules', '.bin', 'tsx'), [example, ...process.argv.slice(2)]);
process.exit(result.status ?? 1);
