/** Recipes that come with the command, by name, as YAML. */
export const BUILT_IN_RECIPES: Readonly<Record<string, string>> = {
  dpo: `# Offline DPO with the settings of the paper's baseline.
model: allenai/Llama-3.1-Tulu-3-8B-SFT
loss: { id: dpo, beta: 0.1 }
data: { train: HuggingFaceH4/ultrafeedback_binarized, trainSplit: train_prefs, eval: HuggingFaceH4/ultrafeedback_binarized, evalSplit: test_prefs, maxLength: 4096 }
training: { batchSize: 128, epochs: 1, learningRate: 5e-7, schedule: cosine_with_min_lr, minLrRatio: 0.1, warmupRatio: 0.03, adamBetas: [0.9, 0.95], maxGradNorm: 1.0 }
precision: bfloat16
output: runs/dpo
`,
};
