import { describeGoldenModels } from './golden-models.js';

/** A software driver takes half a minute a model, most of it for compiling; a training of Qwen 2 is compared beside them. */
describeGoldenModels('webgpu', 'eager', ['gemma2', 'llama-reward']);
