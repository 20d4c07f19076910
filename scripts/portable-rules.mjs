// Which sources below the command may import modules of Node. They are to run in a browser one day: this list is what stands
// in the way, and it does not grow.

/** Sources that are the same on every machine. What reads and writes files is core/storage, which stands for all of it. */
const PORTABLE = [
  'packages/core/src/',
  'packages/engine/src/program/',
  'packages/engine/src/executors/eager/',
  'packages/models/src/',
  'packages/losses/src/',
  'packages/meta-learners/src/',
  'packages/rules/src/',
  'packages/samplers/src/local/',
  'packages/rewards/src/',
];
const STORAGE = 'packages/core/src/storage/';

/** Modules of Node by file; none of them is that of files. */
const KNOWN = {
  'packages/core/src/http/until-done.ts': ['timers/promises'],
  'packages/core/src/numerics/random.ts': ['crypto'],
  'packages/core/src/objectives/plugin.ts': ['path'],
  'packages/core/src/run/annotation/pay-once.ts': ['crypto'],
  'packages/core/src/run/resume/iteration-files.ts': ['path'],
  'packages/core/src/run/run-iterations.ts': ['path'],
  'packages/core/src/run/serving/served-policy.ts': ['path'],
  'packages/core/src/run/summary/iteration-metrics.ts': ['path'],
  'packages/core/src/trainer/reference-logprobs.ts': ['crypto', 'path'],
  'packages/core/src/trainer/run-training.ts': ['path'],
  'packages/core/src/trainer/trainer-checkpoint.ts': ['path'],
  'packages/models/src/checkpoint/adapter-settings.ts': ['path'],
  'packages/models/src/checkpoint/adapter.ts': ['path'],
  'packages/models/src/checkpoint/model-config.ts': ['path'],
  'packages/models/src/checkpoint/open-checkpoint.ts': ['crypto', 'path'],
  'packages/models/src/checkpoint/save-checkpoint.ts': ['path'],
  'packages/models/src/language-model/load-text-model.ts': ['crypto', 'path'],
  'packages/models/src/language-model/model-files.ts': ['path'],
  'packages/models/src/language-model/open-model.ts': ['crypto', 'path'],
  'packages/models/src/local-model/find-model.ts': ['path'],
  'packages/models/src/local-model/local-model.ts': ['path'],
  'packages/models/src/reward/sequence-classification.ts': ['crypto'],
  'packages/models/src/tokenizer/encoding-engine.ts': ['crypto'],
  'packages/models/src/tokenizer/load-tokenizer.ts': ['crypto', 'path'],
  'packages/models/src/tokenizer/native-thread.ts': ['module', 'worker_threads'],
  'packages/models/src/tokenizer/tokenizer-files.ts': ['path'],
  'packages/models/src/tokenizer/tokenizer-settings.ts': ['path'],
  'packages/models/src/tokenizer/tokenizer-shape.ts': ['path'],
  'packages/rewards/src/fingerprint.ts': ['crypto'],
  'packages/rewards/src/function-reward.ts': ['path', 'url'],
  'packages/rewards/src/judge/judge-template.ts': ['path'],
};

/** What is wrong with an import of `node:...` by a file, given by its path from the root; `undefined` where nothing is. */
export function brokenPortability({ path, isTest }, specifier) {
  if (isTest || path.startsWith(STORAGE) || !PORTABLE.some((folder) => path.startsWith(folder))) return undefined;
  if (KNOWN[path]?.includes(specifier.slice('node:'.length))) return undefined;
  return `'${specifier}' is Node's, and this file is to run in a browser too; reach files through @metaapo/core/storage`;
}
