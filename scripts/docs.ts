// Writes what docs and READMEs say of options, losses and files from what the code declares: docs/losses.md, its picture,
// docs/compatibility.md, and the tables of each package's README. With --check it compares instead, and ends with exit
// code 1 when they differ.
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import core from '@metaapo/core';
import type { Plugin } from '@metaapo/core/contracts';
import losses from '@metaapo/losses';
import metaLearners from '@metaapo/meta-learners';
import models from '@metaapo/models';
import rewards from '@metaapo/rewards';
import rules from '@metaapo/rules';
import samplers from '@metaapo/samplers';
import tinker from '@metaapo/tinker';
import trackers from '@metaapo/trackers';
import { compatibilityPage } from './docs/compatibility.js';
import { lossPages } from './docs/loss-pages.js';
import { withTables } from './docs/readme-blocks.js';

const PLUGINS: readonly Plugin[] = [core, losses, metaLearners, models, rewards, rules, samplers, tinker, trackers];

const root = (path: string): string => fileURLToPath(new URL(`../${path}`, import.meta.url));

const written: Record<string, string> = { ...(await lossPages()), 'docs/compatibility.md': compatibilityPage() };
for (const plugin of PLUGINS) {
  const readme = `packages/${plugin.name.replace('@metaapo/', '')}/README.md`;
  written[readme] = withTables(await readFile(root(readme), 'utf8'), plugin);
}
for (const [path, text] of Object.entries(written)) {
  if (!process.argv.includes('--check')) await writeFile(root(path), text);
  else if ((await readFile(root(path), 'utf8').catch(() => '')) !== text) {
    process.stderr.write(`${path} is not what the code says. Run \`pnpm run docs\`.\n`);
    process.exitCode = 1;
  }
}
