import { cpSync, existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LanguageModelOptions } from '@metaapo/models';
import type { OpenaiOptions } from '@metaapo/samplers';
import { quickstartModel, root } from './metaapo.js';
import type { ModelServer } from './model-server.js';

/** A model, a server for it, and what the server can do. */
export interface ServedModel {
  readonly server: 'transformers' | 'vllm';
  /** Why there is no model for it; absent where there is one. */
  readonly missing?: string | undefined;
  /** Arguments of the server. */
  readonly args: readonly string[];
  /** The adapter that is trained; absent where the whole model is. */
  readonly lora?: LanguageModelOptions['lora'];
  readonly givesLogprobs: boolean;
  /** True where it reads prompts of token ids. */
  readonly readsTokenIds: boolean;
  /** Puts the model into a new directory. */
  prepare(directory: string): string;
  /** Options of the sampler, with which it also takes a new policy. */
  options(server: ModelServer): Partial<OpenaiOptions>;
}

/** A command that has a server of transformers load the policy behind its link anew. */
export function relinkCommand(origin: string, link: string): string {
  const reset = `fetch('${origin}/reset', { method: 'POST' }).then(({ ok }) => process.exit(ok ? 0 : 1))`;
  return `ln -sfn "$METAAPO_MODEL_DIRECTORY" "${link}" && "${process.execPath}" -e "${reset}"`;
}

const sharedModel = join(process.env.METAAPO_SHARED ?? join(root, '..', 'shared'), 'models', 'tiny-qwen2');

/** The quickstart's model by transformers, and, where it is there, an adapter of a shared model by vLLM. */
export const SERVED_MODELS: readonly ServedModel[] = [
  {
    server: 'transformers',
    args: ['--device', 'cpu'],
    givesLogprobs: false,
    readsTokenIds: false,
    prepare(directory) {
      cpSync(quickstartModel, directory, { recursive: true });
      // It samples where this file says so alone, whatever the temperature of a request.
      const generation = { eos_token_id: 2, do_sample: true, top_k: 0 };
      writeFileSync(join(directory, 'generation_config.json'), JSON.stringify(generation));
      return directory;
    },
    options: ({ origin, link }) => ({
      // It has one state of random numbers, and gives one response a request.
      useN: false,
      concurrency: 1,
      refresh: 'command',
      refreshCommand: relinkCommand(origin, link),
    }),
  },
  {
    server: 'vllm',
    missing: existsSync(sharedModel) ? undefined : 'METAAPO_SHARED names no directory with models/tiny-qwen2',
    args: [
      ...['--served-model-name', 'base', '--enable-lora', '--max-lora-rank', '8'],
      ...['--enforce-eager', '--dtype', 'float32', '--max-model-len', '256', '--gpu-memory-utilization', '0.2'],
    ],
    lora: {
      ...{ rank: 8, alpha: 16, useRslora: false, seed: 1 },
      targetModules: ['q_proj', 'v_proj', 'gate_proj', 'down_proj'],
    },
    givesLogprobs: true,
    readsTokenIds: true,
    prepare(directory) {
      cpSync(sharedModel, directory, { recursive: true });
      return directory;
    },
    options: () => ({
      startModel: 'base',
      extraBody: { return_token_ids: true },
      refresh: 'reload-endpoint',
      refreshPath: '/v1/load_lora_adapter',
      refreshBody: { lora_name: 'policy', lora_path: '{directory}', load_inplace: true },
    }),
  },
];
