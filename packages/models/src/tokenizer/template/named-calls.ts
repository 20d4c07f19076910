import type { Budget, RenderTools } from './render-tools.js';
import { SEQUENCE_FILTERS } from './sequence-filters.js';
import { TemplateSyntaxError, TemplateUnsupported } from './template-errors.js';
import { TESTS, type Test } from './tests.js';
import { type Filter, TEXT_FILTERS } from './text-filters.js';

const FILTERS: ReadonlyMap<string, Filter> = new Map(Object.entries({ ...TEXT_FILTERS, ...SEQUENCE_FILTERS }));
const TESTS_BY_NAME: ReadonlyMap<string, Test> = new Map(Object.entries(TESTS));

/** Filters of jinja2 that are not rendered here; `safe`, `e` and `escape` are where an output ends with them. */
export const OTHER_FILTERS = [
  'e',
  'escape',
  'filesizeformat',
  'forceescape',
  'groupby',
  'pprint',
  'random',
  'safe',
  'slice',
  'striptags',
  'urlencode',
  'urlize',
  'wordwrap',
  'xmlattr',
];

/**
 * The filter of that name.
 * @throws TemplateUnsupported for one that is not rendered here, TemplateSyntaxError for one that jinja2 lacks
 */
export function knownFilter(name: string): Filter {
  const filter = FILTERS.get(name);
  if (filter !== undefined) return filter;
  if (OTHER_FILTERS.includes(name)) throw new TemplateUnsupported(`the filter ${name}`);
  throw new TemplateSyntaxError(`No filter named '${name}'`);
}

/**
 * The test of that name.
 * @throws TemplateUnsupported for one that is not rendered here, TemplateSyntaxError for one that jinja2 lacks
 */
export function knownTest(name: string): Test {
  const test = TESTS_BY_NAME.get(name);
  if (test !== undefined) return test;
  if (name === 'escaped') throw new TemplateUnsupported('the test escaped');
  throw new TemplateSyntaxError(`No test named '${name}'`);
}

/** What filters and tests may use in a rendering. */
export function toolsOf(budget: Budget): RenderTools {
  const tools: RenderTools = {
    budget,
    callFilter: (name, value, given) => knownFilter(name)(value, given, tools),
    callTest: (name, value, { positional, named }) => knownTest(name)(value, [...positional, ...named.values()], tools),
    isFilter: (name) => FILTERS.has(name) || OTHER_FILTERS.includes(name),
    isTest: (name) => TESTS_BY_NAME.has(name) || name === 'escaped',
  };
  return tools;
}
