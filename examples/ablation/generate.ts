import { readFile, writeFile } from 'node:fs/promises';
import { runMetaapo } from './run-metaapo.js';

/** Responses of a model to each prompt, in order. */
export async function generate(
  model: string,
  prompts: readonly string[],
  file: string,
  {
    seed,
    count = 1,
    temperature = 1,
  }: { readonly seed: number; readonly count?: number; readonly temperature?: number },
): Promise<readonly (readonly string[])[]> {
  const [asked, answered] = [`${file}.prompts.jsonl`, `${file}.responses.jsonl`];
  const rows = prompts.map((content) => JSON.stringify({ prompt: [{ role: 'user', content }] }));
  await writeFile(asked, `${rows.join('\n')}\n`);
  const draw = ['--n', String(count), '--temperature', String(temperature), '--seed', String(seed)];
  const limits = ['--max-new-tokens', '24', '--cached-tokens', '8192'];
  runMetaapo(['generate', '--model', model, '--data', asked, '--output', answered, ...draw, ...limits]);
  const responses = prompts.map((): string[] => []);
  for (const line of (await readFile(answered, 'utf8')).trim().split('\n')) {
    const { row, response } = JSON.parse(line) as { row: number; response: string };
    responses[row]!.push(response);
  }
  return responses;
}
