import { itemOf } from './attributes.js';
import { Undefined, type Value } from './values.js';

/**
 * What reads the attribute that a filter names, such as `function.name`; whole numbers in the path count items.
 * @param otherwise what stands in for something undefined
 */
export function attributePath(attribute: Value, otherwise: Value = null): (value: Value) => Value {
  const parts = typeof attribute === 'string' ? attribute.split('.').map(stepOf) : [attribute];
  return (value) =>
    parts.reduce((found: Value, part) => {
      const item = itemOf(found, part);
      return otherwise !== null && item instanceof Undefined ? otherwise : item;
    }, value);
}

const stepOf = (part: string): Value => (/^\d+$/.test(part) ? Number(part) : part);
