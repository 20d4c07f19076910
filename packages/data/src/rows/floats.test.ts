import { fileURLToPath } from 'node:url';
import { FloatNumber, messageText } from '@metaapo/core/contracts';
import { expect, it } from 'vitest';
import { collect } from '../../test/collect.js';
import { temporaryFile } from '../../test/temporary-directory.js';
import { isTrained } from '../tokenization/trained-messages.js';
import { readDemonstrations } from './read-demonstrations.js';
import { readPreferences } from './read-preferences.js';
import { readRows } from './read-rows.js';

const said = '"chosen": "Yes.", "rejected": "No."';

it('are told from integers where a chat template sees them, and are numbers elsewhere', async () => {
  const tools = String.raw`"tools": [{"name": "move", "by": [1.0, 2, 2.5, 1e2, -0.0], "text": "1.0 \" 2.0"}]`;
  const text = `{"prompt": [{"role": "user", "content": "Go by 1.0."}], ${tools}, ${said}, "score_chosen": 8.0}`;
  const [row] = await collect(readPreferences(temporaryFile('a.jsonl', text)));
  const by = [new FloatNumber(1), 2, 2.5, new FloatNumber(100), new FloatNumber(-0)];
  expect(row).toMatchObject({ prompt: [{ content: 'Go by 1.0.' }], scoreChosen: 8 });
  expect(row).toMatchObject({ chat: { tools: [{ name: 'move', by, text: '1.0 " 2.0' }] } });
  expect(JSON.stringify(by)).toBe('[1,2,2.5,100,0]');
});

it('are told from integers in JSON that a text holds, and in files that are one list', async () => {
  const kwargs = { prompt: [{ role: 'user', content: 'Go.' }], chat_template_kwargs: '{"budget": 3.0}' };
  const text = JSON.stringify([{ ...kwargs, chosen: 'Yes.', rejected: 'No.' }], null, 2);
  const [row] = await collect(readPreferences(temporaryFile('a.json', text)));
  expect(row).toMatchObject({ chat: { templateArguments: { budget: new FloatNumber(3) } } });
});

it('are numbers in columns, lists of ids and weights', async () => {
  const text = '{"prompt": [1.0, 2], "chosen": [3.0], "rejected": [4], "score_chosen": 1E1}';
  const [row] = await collect(readPreferences(temporaryFile('a.jsonl', text)));
  expect(row).toMatchObject({ prompt: Int32Array.of(1, 2), scoreChosen: 10 });
  const chat = '{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b", "weight": 0.0}]}';
  const [demonstration] = await collect(readDemonstrations(temporaryFile('b.jsonl', chat)));
  const messages = demonstration!.form === 'messages' ? demonstration!.messages : [];
  expect(isTrained(demonstration!, messages[1]!)).toBe(false);
});

it('are told from integers inside of the objects of parquet files', async () => {
  const file = fileURLToPath(new URL('../../test/fixtures/floats.parquet', import.meta.url));
  const [row] = await collect(readRows(file));
  const path = [new FloatNumber(1), 2.5];
  const call = { by: new FloatNumber(2), times: 3, path, ends: [{ at: new FloatNumber(4) }] };
  expect(row!.values).toMatchObject({ score_chosen: 2, weights: [1, 0.5] });
  expect(row!.values.messages).toMatchObject([{ role: 'user' }, { tool_calls: [{ name: 'move', arguments: call }] }]);
});

it('that are integers beyond what JavaScript counts are kept, for a template to refuse', async () => {
  const large = '12345678901234567890';
  const text = `{"prompt": [{"role": "user", "content": "Go."}], "tools": [{"id": ${large}}], ${said}, "id": ${large}}`;
  const [row] = await collect(readPreferences(temporaryFile('a.jsonl', text)));
  expect(row).toMatchObject({ chat: { tools: [{ id: BigInt(large) }] } });
});

it('and integers of parquet files are shown to people and judges in calls of tools', async () => {
  const file = fileURLToPath(new URL('../../test/fixtures/floats.parquet', import.meta.url));
  const [row] = await collect(readDemonstrations(file));
  const messages = row!.form === 'messages' ? row!.messages : [];
  expect(messageText(messages[1]!)).toBe(
    '{"name":"move","arguments":{"by":2,"times":3,"path":[1,2.5],"ends":[{"at":4}]}}',
  );
  expect(messageText({ role: 'assistant', tool_calls: [{ id: 2n ** 60n }] })).toBe('{"id":1152921504606847000}');
});
