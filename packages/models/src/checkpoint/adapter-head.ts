import { readAdapterSettings } from './adapter-settings.js';
import { type LanguageModelConfig, withScoreHead } from './model-config.js';

/** The config of a model with an adapter on it: a reward model's where the adapter holds the score head. */
export async function withAdapterHead(config: LanguageModelConfig, adapter: string): Promise<LanguageModelConfig> {
  const { hasScoreHead } = await readAdapterSettings(adapter);
  if (config.task !== 'causal-lm' || !hasScoreHead) return config;
  // Python reads the score where the config of the language model says, which need not name a pad token.
  const { padTokenId } = config;
  const headed = withScoreHead(config);
  return { ...headed, padTokenId, raw: { ...headed.raw, pad_token_id: padTokenId ?? null } };
}
