import { MetaapoError, type OptimizerStep, type TrainedParameters } from '@metaapo/core/contracts';
import type { FedTensor, ProgramSet, Session } from '@metaapo/engine';
import {
  type AdamWConstants,
  applyProgram,
  gradientNormProgram,
  type ProgramOptions,
  resetMomentsProgram,
  zeroGradientsProgram,
} from './programs.js';

/** The programs that every trained model has. */
export function optimizerPrograms(options: ProgramOptions, constants: AdamWConstants): ProgramSet {
  return {
    gradientNorm: gradientNormProgram(options),
    apply: applyProgram(options, constants),
    zeroGradients: zeroGradientsProgram(options),
    resetMoments: resetMomentsProgram(options),
  };
}

/** What a trained model does with its accumulated gradients. */
export type OptimizerSteps = Required<Pick<TrainedParameters, 'apply' | 'zeroGradients' | 'resetMoments'>>;

/** These steps on a session that has {@link optimizerPrograms}. */
export function optimizerSteps(session: Session, constants: AdamWConstants | undefined): OptimizerSteps {
  const zeroGradients = async (): Promise<void> => void (await session.run('zeroGradients', {}));
  return {
    async apply(step) {
      checkConstants(step, constants!);
      const gradientNorm = await gradientNormOf(session);
      if (Number.isFinite(gradientNorm)) await update(session, step, gradientNorm);
      else await zeroGradients();
      return { gradientNorm };
    },
    zeroGradients,
    resetMoments: async () => void (await session.run('resetMoments', {})),
  };
}

async function gradientNormOf(session: Session): Promise<number> {
  const { norm } = await session.run('gradientNorm', {});
  const value = (await norm!.data())[0]!;
  norm!.dispose();
  return value;
}

async function update(session: Session, step: OptimizerStep, gradientNorm: number): Promise<void> {
  const { maxGradNorm } = step;
  const scale = maxGradNorm === undefined ? 1 : Math.min(1, maxGradNorm / (gradientNorm + 1e-6));
  await session.run('apply', {
    learningRate: scalarFeed(step.learningRate),
    gradientScale: scalarFeed(scale),
    correction1: scalarFeed(1 - step.beta1 ** step.step),
    correction2: scalarFeed(1 - step.beta2 ** step.step),
  });
}

const scalarFeed = (value: number): FedTensor => ({ data: Float32Array.of(value), shape: [] });

function checkConstants(step: OptimizerStep, constants: AdamWConstants): void {
  for (const name of ['beta1', 'beta2', 'epsilon', 'weightDecay'] as const) {
    if (step[name] !== constants[name]) {
      throw new MetaapoError('config', `${name} differs from the one the model was opened with`, {
        where: 'optimizer step',
        expected: String(constants[name]),
        got: String(step[name]),
        remedy: 'Open the model with the optimizer settings that the trainer uses',
      });
    }
  }
}
