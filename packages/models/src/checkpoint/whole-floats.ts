import type { RawConfig } from '../architectures/fields.js';

/** A field whose number is whole and written with a point: `"name": 30.0`. Quotes inside of texts have a backslash. */
const WHOLE_FLOAT = /"([^"\\]+)"\s*:\s*-?\d+\.0+(?=\s*[,}])/g;

/**
 * Names of fields whose whole numbers a JSON text writes as floats. JavaScript does not tell 30.0 from 30, and transformers
 * takes no whole number for some of its settings.
 */
export function wholeFloatsIn(text: string): readonly string[] {
  return [...new Set(Array.from(text.matchAll(WHOLE_FLOAT), ([, name]) => name!))];
}

/** JSON text of an object, in which whole numbers of these fields are floats. */
export function withWholeFloats(value: RawConfig, names: readonly string[]): string {
  const floats = new Set(names);
  return JSON.stringify(value, null, 2).replace(/"([^"\\]+)": (-?\d+)(?=,?\n)/g, (field, name: string) =>
    floats.has(name) ? `${field}.0` : field,
  );
}
