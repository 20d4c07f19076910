/** File and directory names inside a run directory. */
export const RUN_FILES = {
  metrics: 'metrics.jsonl',
  journal: 'journal.jsonl',
  journalEnd: 'journal.jsonl.end',
  recipe: 'recipe.yaml',
  model: 'model',
  metaLearner: 'meta-learner.safetensors',
  checkpoint: 'checkpoint',
  report: 'report.html',
} as const;
