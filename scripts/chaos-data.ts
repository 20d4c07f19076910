// Writes the pairs of `pnpm chaos` into a directory.
import { join } from 'node:path';
import { writePreferences } from '../examples/quickstart/write-preferences.js';

const [directory] = process.argv.slice(2);
await writePreferences(join(directory!, 'train.jsonl'), 120, 1);
await writePreferences(join(directory!, 'test.jsonl'), 20, 2);
