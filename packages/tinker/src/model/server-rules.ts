import { MetaapoError, type TrainingUse } from '@metaapo/core/contracts';

/** Kinds of services, by what they compute. */
export const SERVERS = ['skyrl-jax', 'skyrl-train', 'tinker'] as const;

/** A kind of service. */
export type ServerKind = (typeof SERVERS)[number];

/** What a kind of service makes of what it is sent. */
export interface ServerRules {
  readonly kind: ServerKind;
  /**
   * How weighted log-probabilities become a loss. `sum`: they are added up. `sequence-mean`: each sequence is divided by the
   * sum of its weights, and the whole by the number of sequences since the last update.
   */
  readonly reduction: 'sum' | 'sequence-mean';
  /** Whether AdamW's settings are those of each request, or those that the service was started with. */
  readonly optimizer: 'as-sent' | 'own';
  /** Whether gradients are clipped as each request says, as the service was started with, or never. */
  readonly clipping: 'as-sent' | 'own' | 'none';
  /** Whether the weights of an earlier step can be sampled from while training goes on. */
  readonly keepsEarlierSamplers: boolean;
}

/** The kinds that are known. */
export const SERVER_RULES: { readonly [Kind in ServerKind]: ServerRules } = {
  'skyrl-jax': {
    kind: 'skyrl-jax',
    reduction: 'sequence-mean',
    optimizer: 'as-sent',
    clipping: 'none',
    keepsEarlierSamplers: false,
  },
  'skyrl-train': {
    kind: 'skyrl-train',
    reduction: 'sum',
    optimizer: 'own',
    clipping: 'own',
    keepsEarlierSamplers: false,
  },
  tinker: { kind: 'tinker', reduction: 'sum', optimizer: 'as-sent', clipping: 'as-sent', keepsEarlierSamplers: true },
};

/** AdamW as a service was started with it, where it takes no other. */
export interface OwnOptimizer {
  readonly betas: readonly [number, number];
  readonly epsilon: number;
  readonly weightDecay: number;
  readonly maxGradNorm: number | false;
}

/** What an update is made with, as a recipe says it. */
export type WantedOptimizer = TrainingUse['optimizer'];

/**
 * Refuses an optimizer that the service would not use, before anything is trained.
 * @throws MetaapoError with code `config` that names the setting, and what the service has to be started with
 */
export function requireOptimizer(
  { kind, optimizer, clipping }: ServerRules,
  own: OwnOptimizer,
  rank: number,
  wanted: WantedOptimizer,
): void {
  const { beta1, beta2, epsilon, weightDecay, maxGradNorm } = wanted;
  if (clipping === 'none' && maxGradNorm !== undefined) {
    throw refusal(kind, 'it cannot clip gradients', {
      expected: 'training.maxGradNorm: false',
      got: `maxGradNorm ${maxGradNorm}`,
      remedy: "No setting of SkyRL's jax backend helps; its fsdp and megatron backends clip",
    });
  }
  if (rank === 0 && weightDecay > 0) {
    throw refusal(kind, 'it decays every parameter, norms and biases too, and a recipe decays matrices alone', {
      expected: 'training.weightDecay: 0 with rank: 0',
      got: `weightDecay ${weightDecay}`,
      remedy: 'Set it to 0, or train an adapter (rank: 32), which has matrices alone',
    });
  }
  if (optimizer === 'as-sent') return;
  const asked = { betas: [beta1, beta2], epsilon, weightDecay, maxGradNorm: maxGradNorm ?? false };
  if (JSON.stringify(asked) === JSON.stringify(own)) return;
  const settings = {
    'trainer.policy.optimizer_config.adam_betas': asked.betas,
    'trainer.policy.optimizer_config.weight_decay': weightDecay,
    'trainer.policy.optimizer_config.max_grad_norm': maxGradNorm ?? 1e9,
  };
  throw refusal(kind, 'it takes the learning rate alone from a recipe, and the rest of AdamW from its start', {
    expected: JSON.stringify(own),
    got: JSON.stringify(asked),
    remedy: `Start the service with --backend-config '${JSON.stringify(settings)}' and say so in the recipe: model.serverOptimizer; or set adamBetas, adamEpsilon, weightDecay and maxGradNorm of the recipe to what is expected`,
  });
}

function refusal(
  kind: ServerKind,
  summary: string,
  fault: { readonly expected: string; readonly got: string; readonly remedy: string },
): MetaapoError {
  return new MetaapoError('config', summary, { where: `model tinker, server ${kind}`, ...fault });
}

/** The error of a training that reads entropies. */
export function noEntropies(): MetaapoError {
  return new MetaapoError('config', 'no service of the Tinker API gives entropies', {
    where: 'model tinker',
    remedy: 'Choose a meta-learner that reads none, or train with model: { id: local }',
  });
}
