import type { Architecture } from './architecture.js';
import { llama } from './llama.js';
import { mistral } from './mistral.js';
import { qwen2 } from './qwen2.js';
import { qwen3 } from './qwen3.js';

/** All families, one a line. */
export const ARCHITECTURES: readonly Architecture[] = [llama, mistral, qwen2, qwen3];
