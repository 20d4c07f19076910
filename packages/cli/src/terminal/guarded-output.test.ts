import { EventEmitter } from 'node:events';
import { expect, it } from 'vitest';
import { draw, guardOutputs } from './guarded-output.js';

/** An output that keeps what is written. */
function output() {
  const written: string[] = [];
  const stream = Object.assign(new EventEmitter(), { write: (text: string) => written.push(text) > 0 });
  return { written, stream: stream as unknown as NodeJS.WriteStream };
}

it('shows control characters as escapes, whoever writes them, and draws its own', () => {
  const { written, stream } = output();
  const undo = guardOutputs([stream]);
  stream.write('\u001b]0;x\u0007 \u009b2J \u202e\tend\n');
  draw(stream, '\r\u001b[2Kline');
  undo();
  stream.write('\u001b');
  expect(written).toEqual(['\\u001b]0;x\\u0007 \\u009b2J \\u202e\tend\n', '\r\u001b[2Kline', '\u001b']);
});

it('drops what nobody reads, and passes other failures on', () => {
  const { stream } = output();
  guardOutputs([stream]);
  const failing = (code: string) => () => stream.emit('error', Object.assign(new Error(code), { code }));
  for (const code of ['EPIPE', 'EIO']) expect(failing(code)).not.toThrow();
  expect(failing('ENOSPC')).toThrow('ENOSPC');
});
