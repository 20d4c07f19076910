/** A float as Python's `repr` writes it: the shortest digits that give it back, with an exponent from 1e16 and below 1e-4. */
export function floatText(value: number): string {
  if (Number.isNaN(value)) return 'nan';
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf';
  if (Object.is(value, -0)) return '-0.0';
  const [mantissa, exponent] = value.toExponential().split('e') as [string, string];
  const power = Number(exponent);
  if (power >= 16 || power < -4) {
    return `${mantissa}e${power < 0 ? '-' : '+'}${String(Math.abs(power)).padStart(2, '0')}`;
  }
  const plain = plainDigits(mantissa, power);
  return plain.includes('.') ? plain : `${plain}.0`;
}

/** Digits without an exponent, which JavaScript writes below 1e-6 only. */
function plainDigits(mantissa: string, power: number): string {
  const sign = mantissa.startsWith('-') ? '-' : '';
  const digits = mantissa.replace('-', '').replace('.', '');
  if (power < 0) return `${sign}0.${'0'.repeat(-power - 1)}${digits}`;
  const whole = digits.padEnd(power + 1, '0');
  const fraction = whole.slice(power + 1);
  return `${sign}${whole.slice(0, power + 1)}${fraction === '' ? '' : `.${fraction}`}`;
}
