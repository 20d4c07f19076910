import { attributePath } from './attribute-path.js';
import { attributeOf, sequenceOf } from './attributes.js';
import { bindArguments } from './bind-arguments.js';
import { compare, isEqual, itemsOf, lengthOf } from './comparisons.js';
import { OPERATORS } from './operators.js';
import { TemplateRefusal } from './template-errors.js';
import { passes } from './tests.js';
import { type Filter, filter } from './text-filters.js';
import { isTrue, Lazy, Tuple, textOf, typeName, Undefined, type Value, View } from './values.js';

const length: Filter = filter('length', {}, lengthOf);
const defaulted: Filter = filter('default', { default_value: '', boolean: false }, (value, [otherwise, boolean]) =>
  value instanceof Undefined || (isTrue(boolean!) && !isTrue(value)) ? otherwise! : value,
);

/** Filters of jinja2 that work on lists, dicts and whatever can be looped over. */
export const SEQUENCE_FILTERS: Readonly<Record<string, Filter>> = {
  length,
  count: length,
  default: defaulted,
  d: defaulted,
  list: filter('list', {}, (value) => [...itemsOf(value)]),
  first: filter('first', {}, (value) => {
    for (const item of itemsOf(value)) return item;
    return new Undefined('No first item, sequence was empty.');
  }),
  last: filter('last', {}, (value) => {
    const items = reversible(value);
    return items.length > 0 ? items.at(-1)! : new Undefined('No last item, sequence was empty.');
  }),
  reverse: filter('reverse', {}, (value) => {
    if (typeof value === 'string') return [...value].reverse().join('');
    return new Lazy([...itemsOf(value)].reverse().values());
  }),
  items: filter('items', {}, (value) => {
    if (value instanceof Undefined) return new Lazy([].values());
    return new Lazy(entriesOf(value).values());
  }),
  dictsort: filter(
    'dictsort',
    { case_sensitive: false, by: 'key', reverse: false },
    (value, [caseSensitive, by, reverse]) => {
      if (by !== 'key' && by !== 'value') throw new TemplateRefusal('You can only sort by either "key" or "value"');
      const keyOf = (entry: Value): Value =>
        folded((entry as Tuple).items[by === 'key' ? 0 : 1]!, isTrue(caseSensitive!));
      return sorted(entriesOf(value), keyOf, isTrue(reverse!));
    },
  ),
  sort: filter(
    'sort',
    { reverse: false, case_sensitive: false, attribute: null },
    (value, [reverse, caseSensitive, attribute]) => {
      const paths = typeof attribute === 'string' ? attribute.split(',').map((one) => attributePath(one)) : undefined;
      const reads = paths ?? [attribute === null ? (item: Value) => item : attributePath(attribute!)];
      const keyOf = (item: Value): Value => reads.map((read) => folded(read(item), isTrue(caseSensitive!)));
      return sorted([...itemsOf(value)], keyOf, isTrue(reverse!));
    },
  ),
  unique: filter('unique', { case_sensitive: false, attribute: null }, (value, [caseSensitive, attribute]) => {
    const keyOf = folding(attribute!, caseSensitive!);
    const seen: Value[] = [];
    const isNew = (item: Value): boolean => {
      const key = keyOf(item);
      if (Array.isArray(key) || key instanceof Map) throw new TemplateRefusal(`unhashable type: '${typeName(key)}'`);
      return seen.some((one) => isEqual(one, key)) ? false : seen.push(key) > 0;
    };
    function* generate(): Generator<Value> {
      for (const item of itemsOf(value)) if (isNew(item)) yield item;
    }
    return new Lazy(generate());
  }),
  min: extreme('min', (order) => order < 0),
  max: extreme('max', (order) => order > 0),
  sum: filter('sum', { attribute: null, start: 0 }, (value, [attribute, start]) => {
    const read = attribute === null ? (item: Value) => item : attributePath(attribute!);
    if (typeof start === 'string') throw new TemplateRefusal("sum() can't sum strings");
    return [...itemsOf(value)].reduce((sum: Value, item) => OPERATORS['+']!(sum, read(item)), start!);
  }),
  batch: filter('batch', { linecount: undefined, fill_with: null }, (value, [size, fill]) => {
    const items = [...itemsOf(value)];
    const count = Number(size);
    const batches = Array.from({ length: Math.ceil(items.length / count) }, (_, at) =>
      items.slice(at * count, (at + 1) * count),
    );
    const last = batches.at(-1);
    while (fill !== null && last && last.length < count) last.push(fill!);
    return new Lazy((batches as Value[]).values());
  }),
  attr: filter('attr', { name: undefined }, (value, [name]) => {
    if (value instanceof Undefined) return value.fail();
    const found = attributeOf(value, textOf(name!));
    return value instanceof Map && value.get(name!) === found
      ? new Undefined(`no attribute '${textOf(name!)}'`)
      : found;
  }),
  map: (value, given, tools) => {
    const [name, ...positional] = given.positional;
    if (name !== undefined) {
      const rest = { positional, named: given.named };
      return lazily(value, (item) => [tools.callFilter(textOf(name), item, rest)]);
    }
    const [attribute, otherwise] = bindArguments('map', given, { attribute: undefined, default: null });
    const read = attributePath(attribute!, otherwise);
    return lazily(value, (item) => [read(item)]);
  },
  select: (value, { positional }, tools) => lazily(value, (item) => (passes(item, positional, tools) ? [item] : [])),
  reject: (value, { positional }, tools) => lazily(value, (item) => (passes(item, positional, tools) ? [] : [item])),
  selectattr: byAttribute(true),
  rejectattr: byAttribute(false),
};

function byAttribute(isKept: boolean): Filter {
  return (value, { positional: [attribute, ...test] }, tools) => {
    if (attribute === undefined) throw new TemplateRefusal('Missing parameter for attribute name');
    const read = attributePath(attribute);
    return lazily(value, (item) => (passes(read(item), test, tools) === isKept ? [item] : []));
  };
}

/** A generator over what a value holds, looked at only as far as it is asked. */
function lazily(value: Value, give: (item: Value) => readonly Value[]): Lazy {
  function* generate(): Generator<Value> {
    if (!isTrue(value)) return;
    for (const item of itemsOf(value)) yield* give(item);
  }
  return new Lazy(generate());
}

function entriesOf(value: Value): Tuple[] {
  if (value instanceof Map) return [...value].map((entry) => new Tuple(entry));
  throw new TemplateRefusal(`a mapping is expected, not ${typeName(value)}`);
}

function reversible(value: Value): readonly Value[] {
  const items = typeof value === 'string' || value instanceof Undefined ? [...itemsOf(value)] : sequenceOf(value);
  if (items) return items;
  if (value instanceof Map || value instanceof View) return [...itemsOf(value)];
  throw new TemplateRefusal(`'${typeName(value)}' object is not reversible`);
}

/** A text in lower case, unless cases count; anything else as it is. */
const folded = (value: Value, caseSensitive: boolean): Value =>
  typeof value === 'string' && !caseSensitive ? value.toLowerCase() : value;

function folding(attribute: Value, caseSensitive: Value): (item: Value) => Value {
  const read = attribute === null ? (item: Value) => item : attributePath(attribute);
  return (item) => folded(read(item), isTrue(caseSensitive));
}

/** In order by key; items of equal keys stay in their order, also in reverse. */
function sorted<Item extends Value>(items: readonly Item[], keyOf: (item: Item) => Value, reverse: boolean): Item[] {
  const keyed = items.map((item) => ({ item, key: keyOf(item) }));
  keyed.sort((left, right) => (reverse ? compare(right.key, left.key) : compare(left.key, right.key)));
  return keyed.map(({ item }) => item);
}

function extreme(name: string, isBetter: (order: number) => boolean): Filter {
  return filter(name, { case_sensitive: false, attribute: null }, (value, [caseSensitive, attribute]) => {
    const [first, ...rest] = itemsOf(value);
    if (first === undefined) return new Undefined('No aggregated item, sequence was empty.');
    const keyOf = folding(attribute!, caseSensitive!);
    return rest.reduce((best, item) => (isBetter(compare(keyOf(item), keyOf(best))) ? item : best), first);
  });
}
