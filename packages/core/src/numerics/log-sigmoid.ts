/** log sigmoid(x) = min(x, 0) - log(1 + exp(-|x|)), finite for every finite x. */
export function logSigmoid(x: number): number {
  return Math.min(x, 0) - Math.log1p(Math.exp(-Math.abs(x)));
}
