// Writes docs/losses.md and docs/images/losses.svg from the catalogue of losses; with --check compares them instead, and
// ends with exit code 1 when they differ.
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { catalogue, type LossEntry, type Publication } from '@metaapo/losses';
import * as tf from '@tensorflow/tfjs';
import { type LossCurve, lossCurve } from './loss-docs/loss-curve.js';
import { plotCurves } from './loss-docs/plot-curves.js';

const entries = catalogue as readonly LossEntry<object>[];
const root = (path: string): string => fileURLToPath(new URL(`../${path}`, import.meta.url));

function publicationText({ authors, title, year, arxiv, equation }: Publication): string {
  const source = arxiv === undefined ? '' : `, [arXiv ${arxiv}](https://arxiv.org/abs/${arxiv})`;
  return `${authors} ${year}, *${title}*${source}${equation === undefined ? '' : `, equation ${equation}`}`;
}

const cell = (text: string): string => text.replaceAll('|', '\\|');

function referenceText(entry: LossEntry<object>): string {
  if (typeof entry.isReferenceFree === 'boolean') return entry.isReferenceFree ? 'no' : 'yes';
  return entry.create().isReferenceFree ? 'no, by default' : 'yes, by default';
}

function pairsText({ couplesPairs, ranksPairs, memory }: LossEntry<object>): string {
  if (memory !== undefined) return 'the batch and a running mean';
  if (ranksPairs) return 'ranks the batch';
  return couplesPairs ? 'the batch' : 'each pair alone';
}

function overview(): string {
  const rows = entries.map((entry) => {
    const aggregation = entry.id === 'bradley-terry' ? 'rewards' : `${entry.aggregation}s`;
    return `| [\`${entry.id}\`](#${entry.id}) | ${[`\`${cell(entry.formula)}\``, aggregation, referenceText(entry), pairsText(entry)].join(' | ')} |`;
  });
  return ['| id | loss of a pair | log-probs | reference | looks at |', '|---|---|---|---|---|', ...rows].join('\n');
}

function section(entry: LossEntry<object>): string {
  const fields = Object.entries(entry.options);
  const rows = fields.map(([name, field]) => {
    const {
      default: value,
      accepts,
      typical,
      effect,
      defaultFrom,
    } = field as (typeof fields)[number][1] & {
      default: unknown;
      accepts: string;
      typical: string;
      effect: string;
      defaultFrom: string;
    };
    return `| \`${name}\` | ${[`\`${JSON.stringify(value)}\` (${defaultFrom})`, accepts, typical, effect].map(cell).join(' | ')} |`;
  });
  const table =
    rows.length === 0
      ? 'It has no options.'
      : ['| option | default (from) | accepts | usual | which way it pushes |', '|---|---|---|---|---|', ...rows].join(
          '\n',
        );
  const papers = entry.publications.map((publication) => `- ${publicationText(publication)}`).join('\n');
  return `### ${entry.id}\n\n\`${entry.formula}\`\n\n${papers}\n\n${table}`;
}

const page = (): string => `# Preference losses

This page is written by \`npx tsx scripts/loss-docs.ts\` from what the code declares.

Letters: c, j: log-probability of the chosen and the rejected response under the policy, summed or averaged over its tokens
as the column *log-probs* says; r_c, r_j: the same minus the reference's; h = r_c - r_j (c - j without a reference): the
margin; e: \`labelSmoothing\`; softplus(x) = log(1 + exp x) = -log sigmoid(-x). Defaults are those of the method's paper where
it names one; *(convention)* marks the others. A value outside the usual ones is allowed and raises a warning.

Every loss can be weighed by a meta-learner, which makes it MetaAPO's objective, except those that rank the batch. A recipe
names a loss by its id: \`loss: { id: simpo, beta: 2 }\`. \`weighted-sum\` adds losses of one kind:
\`loss: { id: weighted-sum, losses: [{ id: dpo, beta: 0.1 }, { id: hinge, weight: 0.5 }] }\`.

${overview()}

## Loss and gradient against the margin

Blue: the loss at its default options, of a pair alone, whose margin is split evenly between a chosen response that gains
and a rejected one that loses. Orange: how hard the loss pushes the chosen response up, -dL/dc. Green, dashed: how hard it
pushes the rejected one down, dL/dj. Margins in nats; in nats a token for losses over means. Where orange is below zero the
chosen response is pushed down.

![Loss and gradients of every loss against the margin](images/losses.svg)

## Options and papers

${entries.map(section).join('\n\n')}
`;

await tf.setBackend('cpu');
const curves: LossCurve[] = [];
for (const entry of entries) curves.push(await lossCurve(entry.create()));
const written = { 'docs/losses.md': page(), 'docs/images/losses.svg': plotCurves(curves) };
for (const [path, text] of Object.entries(written)) {
  if (!process.argv.includes('--check')) await writeFile(root(path), text);
  else if ((await readFile(root(path), 'utf8').catch(() => '')) !== text) {
    process.stderr.write(`${path} is not what the losses say. Run \`pnpm run docs\`.\n`);
    process.exitCode = 1;
  }
}
