/** Mean of numbers. */
export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Quantiles 0.975 of Student's t with 1, 2, ... degrees of freedom. */
const QUANTILES = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262];

/** Half the width of a 95 % confidence interval of the mean, by Student's t; NaN of a single value. */
export function halfWidth(values: readonly number[]): number {
  const centre = mean(values);
  const variance = values.reduce((sum, value) => sum + (value - centre) ** 2, 0) / (values.length - 1);
  return (QUANTILES[values.length - 2] ?? 1.96) * Math.sqrt(variance / values.length);
}
