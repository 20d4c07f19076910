/** File and directory names inside a run directory. */
export const RUN_FILES = {
  metrics: 'metrics.jsonl',
  journal: 'journal.jsonl',
  journalEnd: 'journal.jsonl.end',
  recipe: 'recipe.yaml',
  model: 'model',
  metaLearner: 'meta-learner.safetensors',
  checkpoint: 'checkpoint',
  /** What each iteration of a run saves. */
  iterations: 'iterations',
  report: 'report.html',
} as const;
