import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { ASSETS } from '../assets.js';
import type { ReportedRun } from './read-run.js';

const { resolve } = createRequire(import.meta.url);

/** One HTML page without any reference to another file: charts, tables and samples of runs. */
export async function reportPage(runs: readonly ReportedRun[]): Promise<string> {
  const [plotStyle, style, plot, script] = await Promise.all([
    readFile(resolve('uplot/dist/uPlot.min.css'), 'utf8'),
    readFile(new URL('report.css', ASSETS), 'utf8'),
    readFile(resolve('uplot/dist/uPlot.iife.min.js'), 'utf8'),
    readFile(new URL('report.js', ASSETS), 'utf8'),
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
<style>${plotStyle}${style}</style>
</head>
<body>
<h1>${escapeHtml(title)}</h1>
<script id="report-data" type="application/json">${data}</script>
<script>${plot}</script>
<script>${script}</script>
</body>
</html>
`;
}

function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
