import type { RewardRequest } from '@metaapo/core/contracts';

export function rewardOf(prompt: string, answer: string): number;
export function digitsOf(text: string): string[];
export default function rewards(requests: readonly RewardRequest[]): number[];
