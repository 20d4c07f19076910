import { InvalidArgumentError } from 'commander';

/** A whole number of at least 0, out of a flag. */
export function count(text: string): number {
  if (/^\d+$/.test(text.trim())) return Number(text);
  throw new InvalidArgumentError('Expected a whole number of at least 0.');
}

/** A number, out of a flag. */
export function decimal(text: string): number {
  const value = Number(text);
  if (text.trim() !== '' && Number.isFinite(value)) return value;
  throw new InvalidArgumentError('Expected a number.');
}
