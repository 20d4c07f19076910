import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { ARCHITECTURES } from '@metaapo/models';
import { DATA_FILE_ENDINGS } from '../../packages/data/src/rows/read-rows.js';
import { CHAT_COLUMNS } from '../../packages/data/src/rows/row-values.js';
import { ADAPTER_FIELDS, HARMLESS_ADAPTER_FIELDS } from '../../packages/models/src/checkpoint/adapter-settings.js';
import { UNSUPPORTED_METHODS } from '../../packages/models/src/tokenizer/template/attributes.js';
import { OTHER_FILTERS } from '../../packages/models/src/tokenizer/template/named-calls.js';
import { UNSUPPORTED_TAGS } from '../../packages/models/src/tokenizer/template/parse-template.js';
import { HARMLESS_TOKENIZER_SETTINGS } from '../../packages/models/src/tokenizer/tokenizer-settings.js';
import { FINISHES } from '../../packages/samplers/src/openai/read-response.js';
import { table } from './family-tables.js';

const root = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));

/** What people bring: what is read of it and what is refused, and what says so. */
interface Kind {
  readonly name: string;
  readonly read: string;
  readonly refused: string;
  /** Libraries of Python that it was compared with. */
  readonly libraries: readonly string[];
  /** Scripts that make golden values. */
  readonly makers: readonly string[];
  readonly tests: readonly string[];
}

const code = (names: Iterable<string>): string => [...names].map((name) => `\`${name}\``).join(' ');

const { read: readFields, refused: refusedFields } = ADAPTER_FIELDS;

const KINDS: readonly Kind[] = [
  {
    name: 'text of ids',
    read: 'every id, no space cleaned up, special tokens by the names that settings give them',
    refused: 'decoders other than those of the library that can be computed exactly',
    libraries: ['tokenizers', 'transformers'],
    makers: ['fixtures/tokenizers/make_tokenizers.py', 'fixtures/tokenizers/make_special_tokens.py'],
    tests: [
      'packages/models/src/tokenizer/load-tokenizer.test.ts',
      'packages/models/src/tokenizer/tokenizer-kinds.test.ts',
    ],
  },
  {
    name: 'messages',
    read: `every key of a message; columns ${code(CHAT_COLUMNS)}; template arguments of recipes and flags`,
    refused:
      'those columns beside text; keys that a template leaves out where they tell a pair apart; conversations written as text',
    libraries: ['jinja2', 'transformers'],
    makers: ['fixtures/chat-templates/make_templates.py'],
    tests: [
      'packages/data/src/rows/whole-messages.test.ts',
      'packages/data/src/rows/system-column.test.ts',
      'packages/data/src/rows/floats.test.ts',
      'test/extra-keys.test.ts',
    ],
  },
  {
    name: 'chat templates',
    read: 'as transformers has jinja2 render them; the date of the run; a thought that the generation prompt opens',
    refused: `when the template is loaded: the tags ${code(UNSUPPORTED_TAGS)}, recursive loops, the filters ${code(OTHER_FILTERS)}, the methods ${code(UNSUPPORTED_METHODS)}`,
    libraries: ['jinja2', 'transformers'],
    makers: ['fixtures/chat-templates/make_templates.py'],
    tests: [
      'packages/models/src/tokenizer/template/chat-template.test.ts',
      'packages/models/src/tokenizer/chat-renderer.test.ts',
      'packages/data/src/tokenization/tokenize-preference.test.ts',
    ],
  },
  {
    name: 'tokenizers',
    read: `kinds compared on 2 500 texts each: ${code(Object.keys(JSON.parse(readFileSync(root('fixtures/tokenizers/kinds.json'), 'utf8')).kinds))}; settings that change nothing: ${code(Object.keys(HARMLESS_TOKENIZER_SETTINGS))}`,
    refused:
      'without the native library, kinds that JavaScript does not compute exactly; `split_special_tokens: true`; an `add_prefix_space` against tokenizer.json; unknown keys of tokenizer.json',
    libraries: ['tokenizers', 'transformers'],
    makers: ['fixtures/tokenizers/make_tokenizers.py', 'fixtures/tokenizers/make_tokenizer_settings.py'],
    tests: [
      'packages/models/src/tokenizer/tokenizer-kinds.test.ts',
      'packages/models/src/tokenizer/tokenizer-settings.test.ts',
    ],
  },
  {
    name: 'rows and splits',
    read: `files ${code(DATA_FILE_ENDINGS)}, all but parquet also \`.gz\` \`.zst\`; configs of cards, splits by names, slices and sums; prompts that pairs have in common; \`owner/name@revision\`; conversions of scripts`,
    refused:
      'rows that nothing can be learnt from (or left out: `badRows: drop`), half characters, integers beyond 2^53 in messages',
    libraries: ['datasets', 'pandas', 'pyarrow', 'trl'],
    makers: [
      'packages/data/test/fixtures/make_splits.py',
      'packages/data/test/fixtures/make_slices.py',
      'packages/data/test/fixtures/make_csv.py',
      'packages/data/test/fixtures/make_prompts.py',
      'packages/data/test/fixtures/make_fixtures.py',
    ],
    tests: [
      'test/resolve-data-files.test.ts',
      'packages/data/src/rows/csv-rows.test.ts',
      'packages/data/src/rows/json-rows.test.ts',
      'packages/data/src/rows/implicit-prompts.test.ts',
    ],
  },
  {
    name: 'models',
    read: `\`model_type\` ${code(ARCHITECTURES.map(({ id }) => id))}, safetensors in one file or several, a head of their own whatever the tie flag says`,
    refused: 'other families, fields of config.json that nobody knows, weights as pickles',
    libraries: ['torch', 'transformers'],
    makers: ['fixtures/models/make_families.py', 'fixtures/models/make_models.py', 'fixtures/models/make_defaults.py'],
    tests: [
      'packages/models/src/checkpoint/model-config.test.ts',
      'packages/models/test/bad-checkpoints.test.ts',
      'test/models/transformers.test.ts',
      'test/extra-keys.test.ts',
    ],
  },
  {
    name: 'adapters',
    read: `LoRA of linear modules by ${code(readFields)}; changes nothing: ${code(Object.keys(HARMLESS_ADAPTER_FIELDS))}; the tokenizer and the score head beside them`,
    refused: `starts that change the base (PiSSA, OLoRA and others); unless they say nothing: ${code(refusedFields)}; adapters of heads, embeddings and biases; the way out, merging in Python, is named`,
    libraries: ['torch', 'peft', 'transformers'],
    makers: ['fixtures/adapters/make_adapters.py'],
    tests: ['test/models/adapters.test.ts', 'test/adapter-directories.test.ts', 'test/extra-keys.test.ts'],
  },
  {
    name: 'reward models',
    read: 'heads of one label read at the last token that is no padding, as the class in Python reads them; heads of another name, mean and deviation of OpenRLHF',
    refused: 'several labels, heads that are missing',
    libraries: ['torch', 'transformers', 'peft'],
    makers: ['fixtures/reward-models/make_reward_models.py'],
    tests: ['test/models/reward-models.test.ts', 'test/models/reward-model.test.ts', 'test/reward-command.test.ts'],
  },
  {
    name: 'replies of servers',
    read: `reasons ${code(Object.keys(FINISHES))}; errors inside of a reply as those of HTTP; streams whose indices do not tell responses apart, one by one`,
    refused: 'responses that something was taken out of, or that ended otherwise: drawn anew, then counted as empty',
    libraries: [],
    makers: [],
    tests: [
      'packages/samplers/src/openai/read-response.test.ts',
      'packages/samplers/src/openai/unusable.test.ts',
      'packages/samplers/src/openai/stream.test.ts',
      'packages/samplers/src/openai/foreign-settings.test.ts',
    ],
  },
  {
    name: 'verdicts of judges',
    read: 'a score in any dress (bold, headings, fences, JSON, `7/10`), the last one stated, none thought aloud; a pattern of your own',
    refused: 'what states no number of the range plainly; a run in which nothing can be read',
    libraries: [],
    makers: [],
    tests: ['packages/rewards/src/judge/read-verdict.test.ts', 'packages/rewards/src/judge/judge.test.ts'],
  },
];

/** The page that says kind by kind what is read, what is refused, and what it was compared with. */
export function compatibilityPage(): string {
  const versions = JSON.parse(readFileSync(root('fixtures/versions.json'), 'utf8')) as Record<string, string>;
  const missing = KINDS.flatMap(({ makers, tests }) => [...makers, ...tests]).filter((path) => !existsSync(root(path)));
  if (missing.length > 0)
    throw new Error(`docs/compatibility.md names files that are not there: ${missing.join(', ')}`);
  const kinds = KINDS.map(({ name, read, refused }) => [name, read, refused]);
  const proofs = KINDS.map(({ name, libraries, makers, tests }) => [
    name,
    libraries.map((library) => `${library} ${versions[library]}`).join(', ') || '-',
    makers.map(linked).join(' ') || '-',
    tests.map(linked).join(' '),
  ]);
  return [
    '# Compatibility',
    'Written by `pnpm run docs` from what the code declares and the tests use. A field, a key or a construct that changes ' +
      'numbers is read or refused with a sentence, and never dropped.',
    table(['kind', 'what is read', 'what is refused'], ...kinds),
    `Golden values were made by Python ${versions.python}; \`pnpm goldens\` makes them anew.`,
    table(['kind', 'compared with', 'made by', 'tested in'], ...proofs),
    '',
  ]
    .join('\n\n')
    .replace(/\n+$/, '\n');
}

const linked = (path: string): string => `[${path.split('/').at(-1)}](../${path})`;
