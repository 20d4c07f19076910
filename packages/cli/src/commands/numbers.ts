import { InvalidArgumentError } from 'commander';

/** A whole number of at least 0, out of a flag. */
export function count(text: string): number {
  if (/^\d+$/.test(text.trim())) return Number(text);
  throw new InvalidArgumentError('Expected a whole number of at least 0.');
}

/** A whole number of at least 1, out of a flag. */
export function positiveCount(text: string): number {
  if (/^\d+$/.test(text.trim()) && Number(text) > 0) return Number(text);
  throw new InvalidArgumentError('Expected a whole number of at least 1.');
}

/** A number, out of a flag. */
export function decimal(text: string): number {
  const value = Number(text);
  if (text.trim() !== '' && Number.isFinite(value)) return value;
  throw new InvalidArgumentError('Expected a number.');
}

/** A number of at least 0, out of a flag. */
export function nonNegative(text: string): number {
  const value = decimal(text);
  if (value >= 0) return value;
  throw new InvalidArgumentError('Expected a number of at least 0.');
}

/** A number above 0, out of a flag. */
export function positive(text: string): number {
  const value = decimal(text);
  if (value > 0) return value;
  throw new InvalidArgumentError('Expected a number above 0.');
}

/** A share above 0 and up to 1, out of a flag. */
export function positiveShare(text: string): number {
  const value = decimal(text);
  if (value > 0 && value <= 1) return value;
  throw new InvalidArgumentError('Expected a number above 0 and up to 1.');
}

/** A share from 0 to 1, out of a flag. */
export function share(text: string): number {
  const value = decimal(text);
  if (value >= 0 && value <= 1) return value;
  throw new InvalidArgumentError('Expected a number from 0 to 1.');
}

/** A text that is not empty, gathered from a flag that may be given several times. */
export function texts(text: string, previous: readonly string[] = []): string[] {
  if (text !== '') return [...previous, text];
  throw new InvalidArgumentError('Expected a text that is not empty.');
}
