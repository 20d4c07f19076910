import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { compileChatTemplate } from './chat-template.js';
import { strftime } from './strftime.js';
import { TemplateUnsupported } from './template-errors.js';

const FIXTURES = new URL('../../../../../fixtures/chat-templates/', import.meta.url).pathname;
const read = (name: string) => JSON.parse(readFileSync(`${FIXTURES}${name}`, 'utf8'));
const { now, dateFormat, conversations, templates, values, expressions } = read('templates.json') as {
  now: string;
  dateFormat: string;
  conversations: Record<string, unknown>[];
  templates: Record<string, string[]>;
  values: Record<string, unknown>;
  expressions: string[];
};
const rendered = read('rendered.json') as {
  templates: Record<string, (string | null)[]>;
  expressions: (string | null)[];
  dates: [string, string][];
};
const NOW = new Date(now);

/** The text, `null` where the template refuses, and the words of what is not rendered here. */
function render(template: string, variables: Record<string, unknown>): string | null | { unsupported: string } {
  try {
    return compileChatTemplate(template, () => NOW).render(variables);
  } catch (error) {
    return error instanceof TemplateUnsupported ? { unsupported: error.message } : null;
  }
}

it.each(Object.keys(templates))('renders as jinja2 does: %s', (name) => {
  const template = templates[name]!.join('');
  expect(conversations.map((variables) => render(template, variables))).toEqual(rendered.templates[name]);
});

it('gives expressions the values that Python gives them, or says what is not rendered here', () => {
  const different = expressions.flatMap((expression, index) => {
    const got = render(`{{ ${expression} }}`, values);
    const expected = rendered.expressions[index];
    return got === expected || (typeof got === 'object' && got !== null) ? [] : [{ expression, got, expected }];
  });
  expect(different).toEqual([]);
});

it('renders nearly all of them', () => {
  const unsupported = expressions.filter((expression) => {
    const got = render(`{{ ${expression} }}`, values);
    return typeof got === 'object' && got !== null;
  });
  expect(unsupported.length).toBeLessThan(expressions.length / 20);
});

it.each(rendered.dates)('writes dates as Python does in the C locale: %s', (date, expected) => {
  expect(strftime(new Date(date), dateFormat)).toBe(expected);
});
