// Settings are those of the reference's scripts, where docs/fidelity.md says nothing else; every key can be overridden with --set.

const DATA = `data:
  train: HuggingFaceH4/ultrafeedback_binarized
  trainSplit: train_prefs
  eval: HuggingFaceH4/ultrafeedback_binarized
  evalSplit: test_prefs
  maxLength: 4096
  longPrompt: drop
`;

const TRAINING = `training:
  batchSize: 128
  epochs: 1
  learningRate: 5e-7
  schedule: cosine_with_min_lr
  minLrRatio: 0.1
  warmupRatio: 0.03
  adamBetas: [0.9, 0.95]
  maxGradNorm: 1.0
  seed: 42 # of the reference's trainer; the draws are our own
`;

const ITERATIONS = `iterations: 3
promptsPerIteration: 20370
responsesPerPrompt: 8
selection: { id: meta }
unselected: drop
referencePolicy: previous
`;

const LOOP = `metaLearner: { id: mlp, updateEvery: 8, learningRate: 5e-3, weightDecay: 1e-4, init: reference }
pairs: { id: best-worst }
truncated: keep
${ITERATIONS}`;

/** What the reference does beside the settings of its scripts, and ours does not. */
const AS_REFERENCE = `metaLearner:
  id: mlp
  updateEvery: 16 # its T_meta of 8 counts micro-batches of 2 rows a device
  leftover: discard
  weightFrom: logit # tells for SimPO alone
  learningRate: 5e-3
  weightDecay: 1e-4
  init: reference
pairs: { id: best-worst, ties: pair }
truncated: keep-ended
optimizerState: fresh
${ITERATIONS}${DATA}  maxPromptLength: 2048
  truncate: ended-tail
  responseEnd: end-of-turn
${TRAINING}  lastBatch: drop
`;

/** Recipes that come with the command, by name, as YAML. `dpo` is one training; the others are whole runs. */
export const BUILT_IN_RECIPES: Readonly<Record<string, string>> = {
  metaapo: `# MetaAPO on DPO: starts from a policy that offline DPO has trained; the reference is the SFT model.
model: jmyang/llama3.1-8b-dpo-ultrafeedback
reference: allenai/Llama-3.1-Tulu-3-8B-SFT
loss: { id: dpo, beta: 0.1 }
rewardModel: { id: sequence-classification, model: jmyang/llama3.1-8b-rm-ultrafeedback, precision: bfloat16 }
sampler: { id: local, temperature: 1.0, maxNewTokens: 2048 }
${LOOP}${DATA}${TRAINING}precision: bfloat16
output: runs/metaapo
`,
  'metaapo-reference': `# What the reference code does, also where it is not what the paper says or what we hold right: docs/fidelity.md.
model: jmyang/llama3.1-8b-dpo-ultrafeedback
reference: allenai/Llama-3.1-Tulu-3-8B-SFT
loss: { id: dpo, beta: 0.1 }
rewardModel:
  id: sequence-classification
  model: jmyang/llama3.1-8b-rm-ultrafeedback
  precision: bfloat16
  scoreAt: end-of-turn
  normalizeReward: true
sampler: { id: local, temperature: 1.0, maxNewTokens: 2048 }
${AS_REFERENCE}precision: bfloat16
output: runs/metaapo-reference
`,
  'metaapo-simpo': `# MetaAPO on SimPO: starts from the SFT model and needs no reference.
model: allenai/Llama-3.1-Tulu-3-8B-SFT
loss: { id: simpo, beta: 2.5, gamma: 0.6 }
rewardModel: { id: sequence-classification, model: jmyang/llama3.1-8b-rm-ultrafeedback, precision: bfloat16 }
sampler: { id: local, temperature: 1.0, maxNewTokens: 2048 }
${LOOP}${DATA}${TRAINING}precision: bfloat16
output: runs/metaapo-simpo
`,
  'metaapo-qwen': `# MetaAPO on DPO for Qwen 2.5; samples a little cooler.
model: jmyang/Qwen2.5-7B-DPO
reference: FuseAI/FuseChat-Qwen-2.5-7B-SFT
loss: { id: dpo, beta: 0.1 }
rewardModel: { id: sequence-classification, model: jmyang/Qwen2.5-7B-rm, precision: bfloat16 }
sampler: { id: local, temperature: 0.9, topP: 0.95, maxNewTokens: 2048 }
${LOOP}${DATA}${TRAINING}precision: bfloat16
output: runs/metaapo-qwen
`,
  dpo: `# Offline DPO, the baseline: one epoch over the same pairs. For \`metaapo train\` or \`metaapo run\`.
model: allenai/Llama-3.1-Tulu-3-8B-SFT
loss: { id: dpo, beta: 0.1 }
${DATA}${TRAINING}precision: bfloat16
output: runs/dpo
`,
};

/** The names of all built-in recipes, for help. */
export const BUILT_IN_NAMES: string = Object.keys(BUILT_IN_RECIPES).join(', ');
