import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { ASSETS } from '../assets.js';
import type { ReportedRun } from './read-run.js';

const { resolve } = createRequire(import.meta.url);

/** Scripts of the page in the order in which they run; the last one draws. */
const SCRIPTS = ['elements', 'describe', 'charts', 'headline', 'curves', 'meta-learner', 'samples', 'recipes', 'draw'];

/** One HTML page without any reference to another file: charts, tables and samples of runs. */
export async function reportPage(runs: readonly ReportedRun[]): Promise<string> {
  const asset = (name: string): Promise<string> => readFile(new URL(name, ASSETS), 'utf8');
  const plotFile = (name: string): Promise<string> => readFile(resolve(`uplot/dist/${name}`), 'utf8');
  const styles = await Promise.all([plotFile('uPlot.min.css'), asset('report.css')]);
  const scripts = await Promise.all([
    plotFile('uPlot.iife.min.js'),
    ...SCRIPTS.map((name) => asset(`report/${name}.js`)),
  ]);
  const title = runs.map(({ name }) => name).join(', ');
  // In a script element only `<` could end the data.
  const data = JSON.stringify({ runs }).replaceAll('<', '\\u003c');
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title>
<style>${styles.join('\n')}</style>
</head>
<body>
<header id="header"><h1>${escapeHtml(title)}</h1></header>
<main id="main"></main>
<noscript><p>This page draws its figures with JavaScript, out of data that it carries itself.</p></noscript>
<script id="report-data" type="application/json">${data}</script>
${scripts.map((script) => `<script>${script}</script>`).join('\n')}
</body>
</html>
`;
}

function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
