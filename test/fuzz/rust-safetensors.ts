import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface, type Interface } from 'node:readline';

/** A Python whose library safetensors, which is written in Rust, is asked too; absent: it is not asked. */
const { METAAPO_FUZZ_PYTHON: python } = process.env;

const PROGRAM = `
import base64, sys
from safetensors import deserialize
for line in sys.stdin:
    try:
        deserialize(base64.b64decode(line))
        print("yes", flush=True)
    except BaseException as error:
        print("no " + repr(error).replace("\\n", " "), flush=True)
`;

let library:
  | { readonly child: ChildProcess; readonly lines: AsyncIterator<string>; readonly reader: Interface }
  | undefined;

function opened(command: string) {
  if (library === undefined) {
    const child = spawn(command, ['-c', PROGRAM], { stdio: ['pipe', 'pipe', 'inherit'] });
    const reader = createInterface({ input: child.stdout! });
    library = { child, reader, lines: reader[Symbol.asyncIterator]() };
  }
  return library;
}

/**
 * Asks the format's own library whether it accepts a file that was accepted here.
 * @throws Error when it does not
 */
export async function requireRustAccepts(bytes: Uint8Array): Promise<void> {
  if (python === undefined) return;
  const { child, lines } = opened(python);
  child.stdin!.write(`${Buffer.from(bytes).toString('base64')}\n`);
  const { value } = await lines.next();
  if (value !== 'yes') throw new Error(`accepted a file that the Rust library refuses: ${value}`);
}

/** Ends the library's process. */
export function closeRust(): void {
  library?.reader.close();
  library?.child.stdin?.end();
  library = undefined;
}
