import { expect, it } from 'vitest';
import { createLiveText } from './live-text.js';

it('shows responses that grow together one after the other, each piece once', () => {
  let shown = '';
  const live = createLiveText([4, 7], 2, (text) => {
    shown += text;
  });
  live.update(4, 0, () => 'Hel');
  live.update(4, 1, () => 'Guten');
  live.update(4, 0, () => 'Hello \uFFFD');
  expect(shown).toBe('--- row 4, response 0\nHello ');
  live.end(7, 0, '');
  live.end(4, 0, 'Hello 😀');
  expect(shown).toBe('--- row 4, response 0\nHello 😀\n');
  live.update(4, 1, () => 'Guten Tag');
  live.end(4, 1, 'Guten Tag!');
  expect(shown.slice(shown.indexOf('--- row 4, response 1'))).toBe(
    '--- row 4, response 1\nGuten Tag!\n--- row 7, response 0\n\n',
  );
});
