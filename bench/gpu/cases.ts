import { SHAPES } from '../train/shapes.js';

/** One row of the table: a side of a workload. */
export interface GpuCase {
  readonly kind: 'train' | 'lora' | 'generate';
  readonly shape: string;
  readonly precision: 'float32' | 'bfloat16';
  readonly side: Side;
}

/** Ours by the executor; PyTorch as it is (in generation with the static cache), and its compiler. */
export type Side = 'ours, xla' | 'ours, compiled' | 'PyTorch' | 'torch.compile';

/** `train M bfloat16`: what the sides of a row have in common. */
export const workloadOf = ({ kind, shape, precision }: GpuCase): string => `${kind} ${shape} ${precision}`;

const sides = (kind: GpuCase['kind'], shape: string, precision: GpuCase['precision'], ...of: Side[]): GpuCase[] =>
  of.map((side) => ({ kind, shape, precision, side }));

// The peer first: ours is then printed with its ratio.
const BOTH: Side[] = ['PyTorch', 'ours, xla'];

/** Everything that is to be measured on a GPU, what is worth most first. */
export const GPU_CASES: readonly GpuCase[] = [
  ...sides('train', 'M', 'bfloat16', ...BOTH),
  ...sides('generate', 'M', 'bfloat16', ...BOTH),
  ...sides('train', 'Q', 'bfloat16', ...BOTH),
  ...sides('lora', 'B', 'bfloat16', ...BOTH),
  ...sides('train', 'S', 'bfloat16', ...BOTH),
  ...sides('generate', 'S', 'bfloat16', ...BOTH),
  ...sides('train', 'M', 'float32', ...BOTH),
  ...sides('train', 'Q', 'bfloat16', 'torch.compile'),
  ...sides('generate', 'Q', 'bfloat16', ...BOTH),
  ...sides('train', 'M', 'bfloat16', 'ours, compiled', 'torch.compile'),
  ...sides('lora', 'H', 'bfloat16', ...BOTH),
  ...sides('train', 'Q', 'float32', ...BOTH),
  ...sides('train', 'S', 'float32', ...BOTH),
  ...sides('generate', 'M', 'float32', ...BOTH),
  ...sides('generate', 'S', 'float32', ...BOTH),
  ...sides('train', 'S', 'bfloat16', 'ours, compiled', 'torch.compile'),
  ...sides('generate', 'M', 'bfloat16', 'ours, compiled'),
];

/** The same on one small shape, to see on a CPU that all of it works: a case of each kind of side. */
export const SMALL_CASES: readonly GpuCase[] = [
  ...new Map(
    GPU_CASES.map((one): [string, GpuCase] => [
      `${one.kind} ${one.side}`,
      { ...one, shape: 'T', precision: one.side === 'torch.compile' ? 'float32' : one.precision },
    ]),
  ).values(),
].filter(({ side }) => side !== 'torch.compile');

/** The type in which the model of a case lies on disk. */
export const storedIn = ({ kind, precision }: GpuCase): 'float32' | 'bfloat16' =>
  kind === 'lora' ? precision : 'float32';

/** Tokens of a step as the peer counts them, a prompt once a response. */
export function tokensOfStep({ shape }: GpuCase): number {
  const { pairs, promptTokens, responseTokens } = SHAPES[shape]!;
  return 2 * pairs * (promptTokens + responseTokens);
}
