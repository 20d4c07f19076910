import { plainText } from '@metaapo/core/contracts';

type Output = Pick<NodeJS.WriteStream, 'write' | 'on'>;

/** How a guarded output was written to before. */
const direct = new WeakMap<object, (text: string) => boolean>();

/**
 * Lets nothing but plain text reach these outputs, whoever writes it: control characters of rows, models, servers and
 * files are shown as their escapes. What nobody reads any more (a closed pipe or terminal) is dropped, and the command
 * goes on.
 * @returns a function that undoes it
 */
export function guardOutputs(outputs: readonly Output[] = [process.stdout, process.stderr]): () => void {
  const undo = outputs.map((output) => {
    const { write } = output;
    direct.set(output, write.bind(output));
    output.write = ((chunk: string | Uint8Array, ...rest: []) =>
      write.call(output, typeof chunk === 'string' ? plainText(chunk) : chunk, ...rest)) as typeof write;
    output.on('error', (error: NodeJS.ErrnoException) => {
      if (!['EPIPE', 'EIO', 'ERR_STREAM_DESTROYED'].includes(error.code ?? '')) throw error;
    });
    return () => {
      output.write = write;
    };
  });
  return () => {
    for (const step of undo) step();
  };
}

/** Writes control sequences of our own, such as those that draw a line anew. Text in it has to be plain already. */
export function draw(output: Pick<NodeJS.WriteStream, 'write'>, sequence: string): void {
  (direct.get(output) ?? output.write.bind(output))(sequence);
}
