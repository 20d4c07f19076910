import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { writePreferences } from '../examples/quickstart/write-preferences.js';
import { metaapo, root, temporaryDirectory } from './support/metaapo.js';

const directory = temporaryDirectory();
const BROWSERS = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
const browser = process.env.CHROMIUM ?? BROWSERS.find(existsSync);

async function makeRun(name: string): Promise<string> {
  const output = join(directory, name);
  await writePreferences(join(directory, 'train.jsonl'), 40, 1);
  const settings = {
    'data.train': join(directory, 'train.jsonl'),
    'data.eval': join(directory, 'train.jsonl'),
    rewardModel: { id: 'function', path: join(root, 'examples/quickstart/reward.mjs') },
    evaluateRewards: 4,
    output,
  };
  const sets = Object.entries(settings).flatMap(([key, value]) => ['--set', `${key}=${JSON.stringify(value)}`]);
  const result = metaapo(['run', join(root, 'examples/quickstart/recipe.yaml'), ...sets], { METAAPO_HOME: directory });
  expect(result.status, result.stderr).toBe(0);
  return output;
}

function inBrowser(page: string, ...flags: readonly string[]) {
  const fixed = ['--headless', '--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking'];
  const profile = `--user-data-dir=${join(directory, 'profile')}`;
  const args = [...fixed, '--disable-sync', '--enable-logging=stderr', profile, ...flags, `file://${page}`];
  return spawnSync(browser!, args, { encoding: 'utf8', maxBuffer: 2 ** 26, timeout: 120_000 });
}

it('a report draws in a browser without an error and without the network', async (context) => {
  const output = await makeRun('one');
  const page = join(output, 'report.html');
  expect(readFileSync(page, 'utf8')).not.toMatch(/(src|href)="?https?:/);
  if (browser === undefined) return context.skip('there is no Chromium; set CHROMIUM to one');
  const { stdout, stderr } = inBrowser(page, '--dump-dom', '--virtual-time-budget=5000');
  expect(stderr).not.toMatch(/CONSOLE/);
  expect(stdout.match(/class="uplot/g)?.length).toBeGreaterThanOrEqual(8);
  for (const title of ['Iterations', 'Training', 'Meta-learner', 'Time', 'Samples', 'Recipe']) {
    expect(stdout).toContain(`<h2>${title}</h2>`);
  }
  const picture = join(directory, 'report.png');
  inBrowser(page, `--screenshot=${picture}`, '--window-size=1180,3000', '--hide-scrollbars');
  expect(statSync(picture).size).toBeGreaterThan(50_000);
});

it('two runs are compared on one page, and what is no run is refused', async () => {
  const page = join(directory, 'both.html');
  const both = metaapo(['report', join(directory, 'one'), await makeRun('two'), '--output', page]);
  expect(both.status, both.stderr).toBe(0);
  expect(readFileSync(page, 'utf8')).toContain('<title>one, two</title>');
  const refused = metaapo(['report', directory]);
  expect(refused.status).toBe(2);
  expect(refused.stderr).toContain('this is no run directory');
});
