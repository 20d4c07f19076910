import fc from 'fast-check';
import { checkedRecipe, checkedTraining } from '../../packages/cli/src/recipe/checked-recipe.js';
import { parseColumnNames } from '../../packages/cli/src/recipe/parse-column-names.js';
import { parsePartFlag } from '../../packages/cli/src/recipe/parse-part-flag.js';
import { parseTemplateArguments } from '../../packages/cli/src/recipe/parse-template-arguments.js';
import { parseYaml } from '../../packages/cli/src/recipe/parse-yaml-value.js';
import { builtInRecipe } from '../../packages/cli/src/recipe/recipe-text.js';
import { type FuzzTarget, fileOf, jsonText, target } from './fuzz-target.js';
import { mutatedJson, mutatedText } from './odd-inputs.js';

/** What YAML gives a meaning to. */
const YAML = [
  '&a ',
  '*a',
  '*b',
  '<<: *a\n',
  '!!binary ',
  '!!set ',
  '!!timestamp ',
  '!x ',
  '? ',
  '- ',
  ': ',
  '|\n',
  '>\n',
  '"',
  "'",
  '{',
  '}',
  '[',
  ']',
  '#',
  '\t',
  '---\n',
  '...\n',
  '%YAML 1.1\n---\n',
  '.inf',
  '.nan',
  '1e999',
  '0x1F',
  '__proto__: {a: 1}\n',
  'constructor: 1\n',
  '"\\x00"',
  '\u2028',
  '\u0085',
  '2001-01-01',
  '[[[[[[[[',
];

const recipeText = (name: string): fc.Arbitrary<string> => {
  const text = builtInRecipe(name);
  return fc.oneof(mutatedText(text, YAML), mutatedJson(parseYaml(name, text)).map(jsonText));
};

const flagText = mutatedText('{a: &b [1, x], c: *b, id: dpo, beta: 0.1}', YAML);
const setText = fc.oneof(
  mutatedText('training.adamBetas=[0.9, {a: &b [1], c: *b}]', YAML),
  mutatedText('loss={id: dpo, beta: 0.1}', YAML),
  mutatedText('data.columns.prompt=', YAML),
);

const objective = 'preference';

/** What comes in recipes and flags. */
export const RECIPE_TARGETS: readonly FuzzTarget[] = [
  target('recipe', recipeText('dpo'), (text) => checkedTraining({ name: fileOf('recipe.yaml', text), objective })),
  target('run-recipe', recipeText('metaapo'), (text) =>
    checkedRecipe({ name: fileOf('recipe.yaml', text), objective }),
  ),
  target('set', setText, (text) => checkedTraining({ name: 'dpo', set: [text], objective })),
  target('flags', fc.tuple(fc.nat(2), flagText), ([which, text]) =>
    which === 0 ? parseColumnNames(text) : which === 1 ? parseTemplateArguments(text) : parsePartFlag('--reward', text),
  ),
];
