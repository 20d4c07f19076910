import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, it, type TestContext, vi } from 'vitest';
import { NativeThread } from './native-thread.js';

const thread = NativeThread.shared();
const key = 'native-thread.test';
const fixture = new URL('../../../../fixtures/quickstart/model/tokenizer.json', import.meta.url);
afterEach(() => void vi.restoreAllMocks());

describe('an answer that is waited for in place', () => {
  it('is that to the request, also when the thread tells late of the one before', async (context: TestContext) => {
    if (thread === undefined) return context.skip('the native library is not installed');
    await thread.ask({ load: readFileSync(fixture, 'utf8'), key });
    const idsOf = (text: string): Int32Array => thread.askNow({ texts: [text], key, addSpecialTokens: false }).ids;
    const [first, second] = [idsOf('7 1 3'), idsOf('2 4')];
    expect(first).not.toEqual(second);
    // The system may wake a thread before there is something, as of a word that was meant for an earlier wait. The first
    // look is one before the answer, however quick that is.
    vi.spyOn(Atomics, 'load').mockReturnValueOnce(0 as never);
    const wait = vi.spyOn(Atomics, 'wait').mockImplementationOnce(() => 'ok');
    expect([idsOf('7 1 3'), idsOf('2 4'), idsOf('7 1 3')]).toEqual([first, second, first]);
    expect(wait).toHaveBeenCalled();
  });
});
