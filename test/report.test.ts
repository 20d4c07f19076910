import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import { writePreferences } from '../examples/quickstart/write-preferences.js';
import { metaapo, root, temporaryDirectory } from './support/metaapo.js';

const directory = temporaryDirectory();
const BROWSERS = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
const browser = process.env.CHROMIUM ?? BROWSERS.find(existsSync);
const data = join(directory, 'train.jsonl');

function train(command: string, recipe: string, output: string, settings: Readonly<Record<string, unknown>>): string {
  const all = { 'data.train': data, 'data.eval': data, output: join(directory, output), ...settings };
  const sets = Object.entries(all).flatMap(([key, value]) => ['--set', `${key}=${JSON.stringify(value)}`]);
  const result = metaapo([command, recipe, ...sets], { METAAPO_HOME: directory });
  expect(result.status, result.stderr).toBe(0);
  return all.output;
}

function makeRun(output: string, settings: Readonly<Record<string, unknown>> = {}): string {
  const reward = { id: 'function', path: join(root, 'examples/quickstart/reward.mjs') };
  const recipe = join(root, 'examples/quickstart/recipe.yaml');
  return train('run', recipe, output, { rewardModel: reward, unselected: 'keep', evaluateRewards: 4, ...settings });
}

function makeReport(name: string, ...runs: readonly string[]): string {
  const page = join(directory, `${name}.html`);
  const made = metaapo(['report', ...runs, '--output', page]);
  expect(made.status, made.stderr).toBe(0);
  expect(readFileSync(page, 'utf8')).not.toMatch(/(src|href)="?https?:/);
  return page;
}

function inBrowser(page: string, ...flags: readonly string[]) {
  const fixed = ['--headless', '--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking'];
  const profile = `--user-data-dir=${join(directory, 'profile')}`;
  const args = [...fixed, '--disable-sync', '--enable-logging=stderr', profile, ...flags, `file://${page}`];
  return spawnSync(browser!, args, { encoding: 'utf8', maxBuffer: 2 ** 26, timeout: 120_000 });
}

/** The page as it was drawn, without an error; `script` acts on it before. */
function drawn(page: string, script?: string): string {
  const acted = join(directory, 'acted.html');
  const html = readFileSync(page, 'utf8');
  writeFileSync(
    acted,
    script === undefined ? html : html.replace('</body>', () => `<script>${script}</script></body>`),
  );
  const { stdout, stderr } = inBrowser(acted, '--dump-dom', '--virtual-time-budget=5000');
  expect(stderr).not.toMatch(/CONSOLE/);
  const body = stdout.slice(stdout.indexOf('<body'));
  return body.replaceAll(/<script[\s\S]*?<\/script>/g, '');
}

const count = (text: string, pattern: RegExp): number => text.match(pattern)?.length ?? 0;
const figure = (page: string, name: string): string | undefined =>
  page.match(new RegExp(`<dt>${name}</dt><dd>([^<]*)`))?.[1];

let one: string;
beforeAll(async () => {
  await writePreferences(data, 40, 1);
  one = makeRun('first/run');
});

it('the report of a run draws its figures, curves and samples without an error or the network', (context) => {
  const page = makeReport('one', one);
  if (browser === undefined) return context.skip('there is no Chromium; set CHROMIUM to one');
  const html = drawn(page);
  for (const title of ['Iterations', 'Meta-learner', 'Training', 'Time', 'Samples', 'Recipe']) {
    expect(html).toContain(`<h2>${title}</h2>`);
  }
  expect(figure(html, 'Held-out reward')).toMatch(/^-?\d\.\d{3} → -?\d\.\d{3}$/);
  expect(figure(html, 'Prompts annotated')).toMatch(/^\d+\.\d %$/);
  expect(figure(html, 'Reward calls saved')).toMatch(/^\d+\.\d %$/);
  expect(html).toMatch(/<b>Model<\/b> [^<[]*fixtures\/quickstart\/model</);
  expect(count(html, /class="uplot/g)).toBe(12);
  expect(count(html, /class="histogram"/g)).toBe(2);
  expect(html).toContain('<b>user</b><p>sort ');
  expect(html).not.toMatch(/im_start|NaN|undefined|-0\.0*[^\d.]/);
  const picture = join(directory, 'report.png');
  inBrowser(page, `--screenshot=${picture}`, '--window-size=1180,3000', '--hide-scrollbars');
  expect(statSync(picture).size).toBeGreaterThan(50_000);
});

it('samples show rows that were not selected, and are searched and filtered', (context) => {
  if (browser === undefined) return context.skip('there is no Chromium; set CHROMIUM to one');
  const page = makeReport('filtered', one);
  const choose = (value: string): string =>
    `const form = document.querySelector('form.filters'); form.elements.group.value = '${value}';`;
  const told = `form.dispatchEvent(new Event('input', { bubbles: true }));`;
  const unselected = drawn(page, `${choose('unselected')}${told}`);
  const shown = unselected.match(/<article class="sample">[\s\S]*?<\/article>/g)!;
  expect(shown.length).toBeGreaterThan(0);
  for (const card of shown) expect(card).toContain('Not selected: no new responses');
  const searched = drawn(page, `${choose('all')} form.elements[0].value = 'nowhere'; ${told}`);
  expect(searched).toMatch(/0 of \d+ rows/);
  expect(searched).not.toMatch(/<article class="sample">/);
});

it('runs are compared in a table and by their recipes, and told apart where their directories have one name', (context) => {
  const other = makeRun('second/run', { responsesPerPrompt: 3 });
  const page = makeReport('both', one, other);
  expect(readFileSync(page, 'utf8')).toContain('<title>first/run, second/run</title>');
  if (browser === undefined) return context.skip('there is no Chromium; set CHROMIUM to one');
  const html = drawn(page);
  expect(html).toContain('<h1>2 runs compared</h1>');
  const differences = html.slice(html.indexOf('<h2>Recipes</h2>'));
  expect(differences).toContain('<td class="text">4</td><td class="text">3</td>');
  expect(differences).toMatch(/2 of \d+ keys differ/);
});

it('the reports of fine-tuning and of a reward model draw without an error', (context) => {
  const model = join(root, 'fixtures/quickstart/model');
  const recipe = join(directory, 'recipe.yaml');
  writeFileSync(recipe, `model: ${model}\ndata: { maxLength: 64 }\ntraining: { batchSize: 16 }\n`);
  const sft = train('sft', recipe, 'sft', { 'data.column': 'chosen' });
  const reward = train('train-reward', recipe, 'reward', {});
  if (browser === undefined) return context.skip('there is no Chromium; set CHROMIUM to one');
  const tuned = drawn(makeReport('sft', sft));
  expect(tuned).toContain('Fine-tuning, ');
  expect(figure(tuned, 'Held-out perplexity')).toMatch(/^\d/);
  const rewarded = drawn(makeReport('reward', reward));
  expect(rewarded).toContain('Reward model, ');
  expect(figure(rewarded, 'Held-out accuracy')).toMatch(/%$/);
});

it('what is no run is refused', () => {
  const refused = metaapo(['report', directory]);
  expect(refused.status).toBe(2);
  expect(refused.stderr).toContain('this is no run directory');
});
