import { catalogue, type LossEntry } from '@metaapo/losses';
import * as tf from '@tensorflow/tfjs';
import { chooser } from './chooser.js';
import { letterTable } from './letters.js';
import { type LossCurve, lossCurve } from './loss-curve.js';
import { lossSection } from './loss-section.js';
import { readsText } from './loss-table.js';
import { cell } from './option-tables.js';
import { plotCurves } from './plot-curves.js';

const entries = catalogue as readonly LossEntry[];

function pairsText({ couplesPairs, ranksPairs, memory }: LossEntry): string {
  if (memory !== undefined) return 'the batch and a running mean';
  if (ranksPairs) return 'ranks the batch';
  return couplesPairs ? 'the batch' : 'each pair alone';
}

function overview(): string {
  const rows = entries.map(
    (entry) =>
      `| [\`${entry.id}\`](#${entry.id}) | \`${cell(entry.formula)}\` | ${readsText(entry)} | ${pairsText(entry)} |`,
  );
  return ['| id | loss of a pair | log-probs | looks at |', '|---|---|---|---|', ...rows].join('\n');
}

const page = (sections: readonly string[]): string => `# Preference losses

This page is written by \`pnpm run docs\` from what the code declares.

## Which one?

${chooser(entries.map(({ id }) => id))}

Responses without partners (thumbs up and down) are trained by the objective \`kto\`, which is KTO as its paper has it: it
compares with responses of other prompts, which a run over pairs does not have.

## All of them

${overview()}

${letterTable()}

Defaults are those of the method's paper where it names one; *(convention)* marks the others. A value outside the usual
ones is allowed and raises a warning. Every loss can be weighed by a meta-learner, which makes it MetaAPO's objective,
except those that rank the batch. A recipe names a loss by its id: \`loss: { id: simpo, beta: 2 }\`. \`weighted-sum\` adds
losses: \`loss: { id: weighted-sum, losses: [{ id: dpo, beta: 0.1 }, { id: nll, weight: 0.5 }] }\`; the first decides
score and rewards, and sums are turned into means where another one takes those.

\`cpo\`, \`rpo\` and \`wpo\` need the numbers of response tokens beside summed log-probabilities. The trainer gives them;
whoever calls \`compute\` gives them as \`chosenTokens\` and \`rejectedTokens\`.

## Loss and gradient against the margin

Blue: the loss at its default options, of a pair alone, whose margin is split evenly between a chosen response that gains
and a rejected one that loses. Orange: how hard the loss pushes the chosen response up, -dL/dc. Green, dashed: how hard it
pushes the rejected one down, dL/dj. Each plot spans margins from -4 / beta to 4 / beta, so that curves of different beta
can be compared (\`orpo\`, \`nll\` and \`bradley-terry\`: -4 to 4); the numbers are nats, or nats a token for losses over
means. Where orange is below zero the chosen response is pushed down.

![Loss and gradients of every loss against the margin](images/losses.svg)

## One by one

*Without a margin* is the loss of a pair whose log-probabilities are all 0, so without any likelihood term.

${sections.join('\n\n')}
`;

/** docs/losses.md and its picture, by path, from the catalogue of losses. */
export async function lossPages(): Promise<Readonly<Record<string, string>>> {
  await tf.setBackend('cpu');
  const curves: LossCurve[] = [];
  const sections: string[] = [];
  for (const entry of entries) {
    curves.push(await lossCurve(entry));
    sections.push(await lossSection(entry));
  }
  return { 'docs/losses.md': page(sections), 'docs/images/losses.svg': plotCurves(curves) };
}
