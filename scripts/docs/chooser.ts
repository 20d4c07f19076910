/** What one has or wants, the loss to begin with, and others to look at. */
const SITUATIONS: readonly (readonly [situation: string, first: string, others: readonly string[]])[] = [
  ['Preference pairs and a reference model', 'dpo', ['length-normalized-dpo']],
  ['Labels of which a known share is wrong', 'robust-dpo', ['dpo', 'exo']],
  ['DPO overfits: few pairs, several epochs', 'ipo', ['hinge']],
  ['Chosen responses become less likely and should not', 'rpo', ['nca', 'apo-zero', 'sppo']],
  ['Answers grow longer and longer', 'length-normalized-dpo', ['simpo']],
  ['No memory for a reference', 'simpo', ['cpo', 'orpo']],
  ['A base model, to be tuned in one stage', 'orpo', ['cpo']],
  ['Chosen responses better than what the policy writes', 'apo-zero', ['rpo']],
  ['Chosen responses worse than what the policy writes', 'apo-down', []],
  ['Pairs written by other models', 'wpo', ['dpo']],
  ['Chosen and rejected responses that answer different prompts', 'aot-pair', ['kto', 'bco']],
  ['Scores of one side each, thumbs up or down', 'kto', ['bco']],
  ['A reward model to train', 'bradley-terry', []],
];

/** @throws Error when a loss is named that is not in the catalogue */
export function chooser(ids: readonly string[]): string {
  const link = (id: string): string => {
    if (!ids.includes(id)) throw new Error(`the chooser names ${id}, which is no loss`);
    return `[\`${id}\`](#${id})`;
  };
  const rows = SITUATIONS.map(
    ([situation, first, others]) => `| ${situation} | ${link(first)} | ${others.map(link).join(', ')} |`,
  );
  return ['| you have or want | begin with | look at |', '|---|---|---|', ...rows].join('\n');
}
