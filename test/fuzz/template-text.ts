import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { ROOT } from './fuzz-target.js';
import { mutatedText } from './odd-inputs.js';

const { templates } = JSON.parse(readFileSync(join(ROOT, 'fixtures/chat-templates/templates.json'), 'utf8')) as {
  readonly templates: Readonly<Record<string, readonly string[]>>;
};
const REAL = Object.values(templates).flat();

/** Pieces of the language. */
const PIECES = [
  '{{ ',
  ' }}',
  '{%- ',
  ' -%}',
  '{% if a %}',
  '{% endif %}',
  '{% for m in messages %}',
  '{% endfor %}',
  '{# ',
  ' #}',
  '{% set x = ',
  '{% macro f(a, b=1) %}',
  '{% endmacro %}',
  '{% generation %}',
  '{% break %}',
  ' | ',
  '.',
  '[',
  ']',
  '(',
  ')',
  "'",
  '"',
  ' in ',
  ' is ',
  ' not ',
  ' and ',
  ' if ',
  ' else ',
  '~',
  '**',
  '//',
  '%',
  ':',
  ',',
  '|tojson',
  '|join(',
  'loop.',
];

const NAMES = 'messages tools tool_calls m x loop namespace range dict bos_token self true none ns'.split(' ');
const FILTERS = (
  'trim tojson length join list upper first last default map selectattr rejectattr select string int ' +
  'float replace items dictsort indent sort unique reverse round abs sum batch slice title capitalize ' +
  'safe e center wordwrap min max format groupby nothing'
).split(' ');
const METHODS = (
  'split strip format startswith replace items get append join zfill ljust encode __class__ pop count ' +
  'splitlines title rsplit expandtabs'
).split(' ');
const TESTS = (
  'defined none string mapping iterable sequence odd divisibleby(3) sameas(x) in(messages) callable ' + 'nothing'
).split(' ');
const OPERATORS = ['+', '-', '*', '/', '//', '%', '**', '~', '==', '<', 'in', 'not in', 'and', 'or'];
const LITERALS = [
  '0',
  '1',
  '-1',
  '3.5',
  '1e300',
  '10**9',
  "'a'",
  "'%s %d'",
  "'{0.x!r:>999999999}'",
  "''",
  "'\\n'",
  '[]',
  '[1, 2]',
  '{}',
  "{'a': 1}",
  '(1,)',
  'true',
  'none',
  '99999999999',
  "'a' * 99999999",
];

const { expression } = fc.letrec<{ expression: string; leaf: string }>((tie) => ({
  leaf: fc.oneof(fc.constantFrom(...LITERALS), fc.constantFrom(...NAMES)),
  expression: fc.oneof(
    { maxDepth: 4 },
    tie('leaf'),
    fc.tuple(tie('expression'), fc.constantFrom(...FILTERS)).map(([a, name]) => `${a}|${name}`),
    fc.tuple(tie('expression'), fc.constantFrom(...FILTERS), tie('leaf')).map(([a, name, b]) => `${a}|${name}(${b})`),
    fc.tuple(tie('expression'), fc.constantFrom(...METHODS), tie('leaf')).map(([a, name, b]) => `${a}.${name}(${b})`),
    fc.tuple(tie('expression'), tie('leaf')).map(([a, b]) => `${a}[${b}]`),
    fc.tuple(tie('expression'), tie('leaf'), tie('leaf')).map(([a, b, c]) => `${a}[${b}:${c}:-1]`),
    fc
      .tuple(tie('expression'), fc.constantFrom(...OPERATORS), tie('expression'))
      .map((parts) => `(${parts.join(' ')})`),
    fc.tuple(tie('expression'), fc.constantFrom(...TESTS)).map(([a, test]) => `(${a} is ${test})`),
    fc.tuple(tie('expression'), tie('leaf')).map(([a, b]) => `(${a} if ${b} else x)`),
    fc
      .tuple(fc.constantFrom('range', 'namespace', 'dict', 'strftime_now', 'f'), tie('expression'))
      .map(([f, a]) => `${f}(${a})`),
  ),
}));

const { template } = fc.letrec<{ template: string; statement: string }>((tie) => ({
  statement: fc.oneof(
    { maxDepth: 3 },
    expression.map((one) => `{{ ${one} }}`),
    fc.constantFrom('text', '\n', ' {#- a -#} ', '{% raw %}{{{% endraw %}'),
    expression.map((one) => `{%- set x = ${one} -%}`),
    expression.map((one) => `{% set ns = namespace(a=${one}) %}{% set ns.a = x %}`),
    fc.tuple(expression, tie('template')).map(([one, body]) => `{% for m in ${one} %}${body}{% else %}e{% endfor %}`),
    fc.tuple(expression, tie('template')).map(([one, body]) => `{% if ${one} %}${body}{% elif x %}{% endif %}`),
    fc
      .tuple(expression, tie('template'))
      .map(([one, body]) => `{% macro f(a, b=${one}) %}${body}{% endmacro %}{{ f(1) }}`),
    fc
      .tuple(fc.constantFrom(...FILTERS), tie('template'))
      .map(([name, body]) => `{% filter ${name} %}${body}{% endfilter %}`),
    tie('template').map((body) => `{% set x %}${body}{% endset %}`),
  ),
  template: fc.array(tie('statement'), { maxLength: 4 }).map((parts) => parts.join('')),
}));

/** Chat templates: real ones with a few changes, and such as the grammar gives. */
export const templateText: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom(...REAL).chain((text) => mutatedText(text, PIECES)),
  template,
  template.map((text) => `{% for m in messages %}${text}{% endfor %}`),
);
