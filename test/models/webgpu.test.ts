import { describeGoldenModels } from './golden-models.js';

/** A software driver takes about ten seconds a model: those that together have every part. */
describeGoldenModels('webgpu', 'eager', ['gemma2', 'qwen3', 'llama-reward']);
