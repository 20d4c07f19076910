// Writes preference data, runs MetaAPO with the small model on it, and shows what was annotated and how rewards changed.
import { spawnSync } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { writePreferences } from './write-preferences.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
process.chdir(root);
await rm('runs/quickstart', { recursive: true, force: true });
await writePreferences('runs/quickstart/data/train.jsonl', 600, 1);
await writePreferences('runs/quickstart/data/test.jsonl', 100, 2);
process.stdout.write('Wrote 600 training and 100 held-out pairs to runs/quickstart/data\n');
const command = ['packages/cli/bin/metaapo.js', 'run', 'examples/quickstart/recipe.yaml', ...process.argv.slice(2)];
process.stdout.write(`$ npx metaapo ${command.slice(1).join(' ')}\n`);
const result = spawnSync(process.execPath, command, { stdio: 'inherit' });
process.exit(result.status ?? 1);
