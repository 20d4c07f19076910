import { messageText, type RewardRequest } from '@metaapo/core/contracts';

/** A prompt as plain text; a conversation as its turns, each begun by its role: `user: Hello`. */
export function promptText(prompt: RewardRequest['prompt']): string {
  if (typeof prompt === 'string') return prompt;
  return prompt.map((message) => `${message.role}: ${messageText(message)}`).join('\n\n');
}
