/**
 * Variables that TensorFlow and CUDA read when they are loaded, for `tensorflow-gpu`: float32 products are float32 ones,
 * not the shorter TF32, and memory of the GPU is taken as it is needed, so that a server of models finds room beside it.
 * What the environment says already counts.
 */
export const GPU_ENVIRONMENT = { NVIDIA_TF32_OVERRIDE: '0', TF_FORCE_GPU_ALLOW_GROWTH: 'true' } as const;
