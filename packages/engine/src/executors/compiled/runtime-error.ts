import { MetaapoError } from '@metaapo/core/contracts';

/**
 * A failure of TensorFlow's session as an error that names the program and the node of the program.
 * @param prefix with which the names of the program's operations begin
 */
export function runtimeError(error: unknown, program: string, prefix: string): MetaapoError {
  const message = error instanceof Error ? error.message : String(error);
  const names = [...message.matchAll(/\{\{node ([^}]+)\}\}/g)].map((match) => match[1]!);
  const own = names.find((name) => name.startsWith(`${prefix}/`));
  const node = (own ?? names[0])?.replace(`${prefix}/`, '').replace(/(_\d+)\.\d+$/, '$1');
  const isEmptyState = /Could not find variable|uninitialized|Resource .* does not exist/i.test(message);
  return new MetaapoError('internal', isEmptyState ? 'the state is read before it was written' : 'the program failed', {
    where: node === undefined ? program : `${program}, node ${node}`,
    got: firstSentence(message),
    cause: error,
  });
}

/** The runtime's own explanation, without the list of nodes and hints that follow it. */
function firstSentence(message: string): string {
  const [first] = message.replace(/^Session fail to run with error: /, '').split('\n');
  return first!
    .replace(/\{\{[^}]*\}\}/g, '')
    .replace(/\s+/g, ' ')
    .trim();
}
