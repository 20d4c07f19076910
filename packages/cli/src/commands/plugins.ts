import { slotName } from '@metaapo/core/contracts';
import type { Command } from 'commander';
import { collect } from './collect.js';
import { addNewPlugin } from './new-plugin.js';

/** `metaapo plugins`: the parts that a recipe can name. */
export function addPlugins(program: Command): void {
  const plugins = program
    .command('plugins')
    .description('list the parts that a recipe can name, by slot')
    .option('--plugin <package>', 'list the parts of this package or module too', collect)
    .option('--json', 'print JSON')
    .action(async ({ plugin, json }: { plugin?: string[]; json?: boolean }) => {
      const [{ registerPlugins }, { loadPlugins }] = await Promise.all([
        import('@metaapo/core'),
        import('../recipe/load-plugins.js'),
      ]);
      const { parts } = registerPlugins(await loadPlugins(plugin ?? []));
      const rows = parts.map(({ plugin: from, part }) => ({
        slot: slotName(part.slot),
        id: part.id,
        package: from,
        summary: part.summary,
      }));
      process.stdout.write(json ? `${JSON.stringify(rows, null, 2)}\n` : tableOf(rows));
    });
  addNewPlugin(plugins);
}

function tableOf(rows: readonly Readonly<Record<'slot' | 'id' | 'package' | 'summary', string>>[]): string {
  const width = (key: 'slot' | 'id' | 'package'): number => Math.max(...rows.map((row) => row[key].length)) + 2;
  const [slot, id, from] = [width('slot'), width('id'), width('package')];
  return rows
    .map((row) => `${row.slot.padEnd(slot)}${row.id.padEnd(id)}${row.package.padEnd(from)}${row.summary}\n`)
    .join('');
}
